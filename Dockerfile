# The image of a release: the static program, and git for repositories that libgit2 does not open. As a user without rights.
# The release workflow puts the program of each platform at linux/ARCH/admit; a build of one's own can, too.
FROM alpine:3.22
RUN apk add --no-cache git
ARG TARGETPLATFORM
COPY --chmod=755 ${TARGETPLATFORM}/admit /usr/local/bin/admit
# The user as whom Argo CD runs plugins, too.
RUN adduser -D -H -u 999 admit
USER 999:999
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/admit"]
