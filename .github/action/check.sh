#!/usr/bin/env bash
# Finds what an event brings, lets admit judge it, and shows the result: annotations, summary, outputs.
# Runs with the Bash of macOS, too, for which an empty array is unset. In: inputs of action.yml and parts of the event, as variables; the repository is the current directory.
# Out: the exit code of admit, and the outputs of action.yml.
set -euo pipefail

# An annotation without a place.
say() {
  local text=$2
  text=${text//'%'/%25} text=${text//$'\r'/%0D} text=${text//$'\n'/%0A}
  echo "::$1 title=admit::$text"
}

output() {
  local end
  end=end-$RANDOM$RANDOM$RANDOM$RANDOM
  printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

fail() {
  say error "$1"
  output result error
  output exit-code 2
  exit 2
}

has() { git cat-file -e "$1^{commit}" 2>/dev/null; }

# Shallow clones hold the tip alone. One attempt; what can't be fetched is found missing below. The token is for private
# repositories that were checked out without credentials, and goes to no other server and into no file.
fetch() {
  local -a header=()
  if [ -n "$TOKEN" ] && [[ $(git remote get-url origin 2>/dev/null) == "$GITHUB_SERVER_URL/"* ]]; then
    header=(-c "http.$GITHUB_SERVER_URL/.extraheader=AUTHORIZATION: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 | tr -d '\n')")
  fi
  git ${header[@]+"${header[@]}"} fetch --quiet --no-tags --no-recurse-submodules "$@" 2>/dev/null || true
}

git rev-parse --git-dir >/dev/null 2>&1 || fail 'this is no repository: use actions/checkout before this action'

case $GITHUB_EVENT_NAME in
  pull_request)
    # What was checked out merges the change into the branch as it is now: its first parent is the base.
    if [ -z "$BASE$HEAD" ]; then
      has "$GITHUB_SHA^1" || fetch --depth=2 origin "$GITHUB_SHA"
      if has "$GITHUB_SHA^2"; then
        BASE=$(git rev-parse "$GITHUB_SHA^1") HEAD=$GITHUB_SHA
      else
        BASE=$PULL_BASE HEAD=$GITHUB_SHA
      fi
    fi ;;
  pull_request_target)
    # This event has the secrets of the base branch. The change is read as objects of Git, never checked out, and what
    # judges it is what the base branch holds.
    [ "$(git rev-parse HEAD)" = "$GITHUB_SHA" ] ||
      fail 'pull_request_target with the code of the pull request checked out: anybody could run code with your secrets. Check out the base branch, or use pull_request'
    if git show "$GITHUB_SHA:admit.yaml" 2>/dev/null | grep -Eq "trust[\"']?[[:space:]]*:[[:space:]]*[\"']?head"; then
      fail 'pull_request_target with trust: head in admit.yaml: a change from outside would be judged by its own policies'
    fi
    [ -z "$BASE$HEAD" ] || fail 'base and head are found from the event for pull_request_target'
    fetch --depth=2 origin "+refs/pull/$PULL_NUMBER/merge:refs/admit/change"
    has refs/admit/change^1 || fail "refs/pull/$PULL_NUMBER/merge could not be fetched: does the change conflict with its base?"
    BASE=$(git rev-parse refs/admit/change^1) HEAD=$(git rev-parse refs/admit/change) ;;
  merge_group)
    BASE=${BASE:-$QUEUE_BASE} HEAD=${HEAD:-$QUEUE_HEAD} ;;
  push)
    # A new branch starts where it left the default branch, if that is known.
    if [ -z "$BASE" ] && [ -z "${BEFORE//0/}" ] && [ -n "$DEFAULT_BRANCH" ]; then
      BASE=$(git merge-base "origin/$DEFAULT_BRANCH" "$GITHUB_SHA" 2>/dev/null || echo none)
      [ "$BASE" != "$GITHUB_SHA" ] || BASE=none
    fi
    BASE=${BASE:-$BEFORE} HEAD=${HEAD:-$GITHUB_SHA} ;;
esac
[ -n "$BASE" ] || [ -z "$HEAD" ] || fail 'head takes a base to compare with'
BASE=${BASE:-none} HEAD=${HEAD:-$GITHUB_SHA}
case $BASE$HEAD in *..* | -*) fail 'base and head are names of commits' ;; esac

what=() range=''
if [ "$BASE" != none ] && [ -n "${BASE//0/}" ]; then
  for commit in "$BASE" "$HEAD"; do
    has "$commit" || fetch --depth=1 origin "$commit"
  done
  if has "$BASE" && has "$HEAD"; then
    range=$BASE..$HEAD
    what=(--diff "$range")
  else
    say warning "$BASE or $HEAD is not in this clone, so that the whole tree is judged: fetch-depth 2 or more helps"
  fi
fi
[ -n "$range" ] || [ -z "$WHOLE" ] || what+=("$WHOLE")
[ -z "$POLICIES" ] || what+=(--policies "$POLICIES")
[ -z "$EXCEPTIONS" ] || what+=(--exceptions "$EXCEPTIONS")
[ -z "$BASELINE" ] || what+=(--baseline "$BASELINE")
# One argument a line.
while IFS= read -r argument; do
  [ -z "$argument" ] || what+=("$argument")
done <<<"$ARGS"

reports=$(mktemp -d "$RUNNER_TEMP/admit-XXXXXX")
formats=(--format "text=$reports/text" -o "json=$reports/report.json" -o "github=$reports/github" -o "markdown=$reports/markdown")
[ -z "$SARIF_FILE" ] || formats+=(-o "sarif=$SARIF_FILE")

code=0
"$ADMIT" check ${what[@]+"${what[@]}"} --fail-on "$FAIL_ON" "${formats[@]}" || code=$?

if [ -f "$reports/text" ]; then
  # admit leaves no command in what it quotes; this is the second lock.
  end=end-$RANDOM$RANDOM$RANDOM$RANDOM
  echo "::stop-commands::$end"
  cat "$reports/text"
  echo "::$end::"
fi
[ "$ANNOTATIONS" != true ] || [ ! -f "$reports/github" ] || cat "$reports/github"
[ "$SUMMARY" != true ] || [ ! -f "$reports/markdown" ] || cat "$reports/markdown" >>"$GITHUB_STEP_SUMMARY"
[ "$code" != 3 ] || say error 'nothing was checked: no policy was found, or no manifest; policies and path say where they are'

# Who passes without a report has judged nothing: `--help` among the arguments, or a program that is not admit.
if [ "$code" -lt 2 ] && [ ! -s "$reports/report.json" ]; then
  fail 'admit ended without a report: nothing was judged'
fi

# Counts of findings stand in an object of their own.
n() { sed -n '/^    "findings": {$/,/^    }/s/^ *"'"$1"'": \([0-9]*\).*/\1/p' "$reports/report.json" 2>/dev/null | head -n 1; }
case $code in 0) result=pass ;; 1) result=fail ;; *) result=error ;; esac
output result "$result"
output exit-code "$code"
output range "$range"
output errors "$(n error)"
output warnings "$(n warning)"
output waived "$(n waived)"
report=''
[ ! -f "$reports/report.json" ] || report=$reports/report.json
output report-file "$report"
sarif=''
[ -z "$SARIF_FILE" ] || [ ! -f "$SARIF_FILE" ] || sarif=$PWD/$SARIF_FILE
output sarif-file "$sarif"
exit "$code"
