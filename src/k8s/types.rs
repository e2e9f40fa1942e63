//! The Go types that Kubernetes reads its objects into: all of Pods and Pod controllers, the outlines of other kinds.
//!
//! Kyverno decodes a whole object before it checks the Pod in it, so a value of the wrong type anywhere is an error that
//! names the types; the API server does the same with what a policy applies to an object. Facts from the public API reference, <https://kubernetes.io/docs/reference/kubernetes-api/>, as of
//! Kubernetes 1.34. The status is left out: manifests have none that matters.

/// The type of a value.
#[derive(Debug)]
pub(crate) enum Type {
    /// A boolean.
    Bool,
    /// An integer of 32 bits.
    Int32,
    /// An integer of 64 bits.
    Int64,
    /// Text; the name of the type.
    Text(&'static str),
    /// A time as text. What it says is not read.
    Time,
    /// A list.
    List(&'static Type),
    /// A map from text.
    Map(&'static Type),
    /// Quantities by name of the resource.
    Resources,
    /// A quantity: a number, or text that reads as one.
    Quantity,
    /// A number of 32 bits or text.
    IntOrString,
    /// A map with known fields; others may stand in it.
    Object(&'static Object),
    /// Anything.
    Any,
}

impl Type {
    /// The name that Go prints.
    pub(crate) fn go_name(&self) -> String {
        match self {
            Type::Bool => "bool".to_owned(),
            Type::Int32 | Type::IntOrString => "int32".to_owned(),
            Type::Int64 => "int64".to_owned(),
            Type::Time => "string".to_owned(),
            Type::Text(name) => (*name).to_owned(),
            Type::List(item) => format!("[]{}", item.go_name()),
            Type::Map(item) => format!("map[string]{}", item.go_name()),
            Type::Resources => "v1.ResourceList".to_owned(),
            Type::Quantity => "resource.Quantity".to_owned(),
            Type::Object(object) => format!("v1.{}", object.name),
            Type::Any => "interface {}".to_owned(),
        }
    }
}

/// A Go struct.
#[derive(Debug)]
pub(crate) struct Object {
    /// Its name without the package.
    pub name: &'static str,
    /// Its fields, sorted by key.
    fields: &'static [Field],
    /// A struct whose fields stand among them: its name and fields.
    inlined: Option<(&'static str, &'static [Field])>,
}

/// A field of a struct.
#[derive(Debug)]
struct Field {
    key: &'static str,
    /// What the key begins with, for a first look.
    start: u64,
    of: Type,
}

impl Field {
    const fn new(key: &'static str, of: Type) -> Self {
        Self { key, start: start(key.as_bytes()), of }
    }
}

/// The first eight bytes as a number; numbers are in the order of their texts.
const fn start(text: &[u8]) -> u64 {
    let mut out = [0; 8];
    let mut at = 0;
    while at < text.len() && at < out.len() {
        out[at] = text[at];
        at += 1;
    }
    u64::from_be_bytes(out)
}

impl Object {
    /// A field: its key, the name of the inlined struct that it belongs to, and its type.
    pub(crate) fn field(&self, key: &str) -> Option<(&'static str, Option<&'static str>, &'static Type)> {
        let wanted = start(key.as_bytes());
        let find = |fields: &'static [Field]| {
            let first = fields.partition_point(|field| field.start < wanted);
            fields[first..].iter().take_while(|field| field.start == wanted).find(|field| field.key == key)
        };
        let own = find(self.fields).map(|field| (field.key, None, &field.of));
        let inlined = || {
            let (name, fields) = self.inlined?;
            find(fields).map(|field| (field.key, Some(name), &field.of))
        };
        own.or_else(inlined)
    }
}

/// The type of a kind, of whatever group; `None` for kinds that are not described here.
pub(crate) fn of(group: &str, version: &str, kind: &str) -> Option<&'static Object> {
    Some(match (group, version, kind) {
        ("", "v1", "Pod" | "ReplicationController")
        | ("apps", "v1", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet")
        | ("batch", "v1", "CronJob" | "Job") => return workload(kind),
        ("", "v1", "ConfigMap") => &ConfigMap,
        ("", "v1", "LimitRange") => &LimitRange,
        ("", "v1", "Namespace") => &Namespace,
        ("", "v1", "PersistentVolumeClaim") => &PersistentVolumeClaim,
        ("", "v1", "PodTemplate") => &PodTemplate,
        ("", "v1", "ResourceQuota") => &ResourceQuota,
        ("", "v1", "Secret") => &Secret,
        ("", "v1", "Service") => &Service,
        ("", "v1", "ServiceAccount") => &ServiceAccount,
        ("autoscaling", "v2", "HorizontalPodAutoscaler") => &HorizontalPodAutoscaler,
        ("networking.k8s.io", "v1", "Ingress") => &Ingress,
        ("networking.k8s.io", "v1", "NetworkPolicy") => &NetworkPolicy,
        ("policy", "v1", "PodDisruptionBudget") => &PodDisruptionBudget,
        ("rbac.authorization.k8s.io", "v1", "ClusterRole") => &ClusterRole,
        ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding" | "RoleBinding") => &RoleBinding,
        ("rbac.authorization.k8s.io", "v1", "Role") => &Role,
        ("scheduling.k8s.io", "v1", "PriorityClass") => &PriorityClass,
        ("storage.k8s.io", "v1", "StorageClass") => &StorageClass,
        _ => return None,
    })
}

/// `metadata` of every object.
pub(crate) static METADATA: Type = Type::Object(&ObjectMeta);

/// The type of a Pod or a Pod controller, by its kind alone.
pub(crate) fn workload(kind: &str) -> Option<&'static Object> {
    Some(match kind {
        "Pod" => &Pod,
        "DaemonSet" => &DaemonSet,
        "Deployment" => &Deployment,
        "Job" => &Job,
        "StatefulSet" => &StatefulSet,
        "ReplicaSet" => &ReplicaSet,
        "ReplicationController" => &ReplicationController,
        "CronJob" => &CronJob,
        _ => return None,
    })
}

macro_rules! of {
    (bool) => {
        Type::Bool
    };
    (int32) => {
        Type::Int32
    };
    (int64) => {
        Type::Int64
    };
    (string) => {
        Type::Text("string")
    };
    (time) => {
        Type::Time
    };
    (quantity) => {
        Type::Quantity
    };
    (resources) => {
        Type::Resources
    };
    (int_or_string) => {
        Type::IntOrString
    };
    (any) => {
        Type::Any
    };
    ($name:literal) => {
        Type::Text($name)
    };
    ([$item:tt]) => {
        Type::List(&of!($item))
    };
    ({$item:tt}) => {
        Type::Map(&of!($item))
    };
    ($object:ident) => {
        Type::Object(&$object)
    };
}

/// `Name { field: type, … } + Inlined { … }`: one static for each struct, under the name of the struct.
macro_rules! structs {
    ($($name:ident { $($key:ident: $of:tt),* } $(+ $inlined:ident { $($inner:ident: $type:tt),* })?)*) => {
        $(
            #[expect(non_upper_case_globals, reason = "the names are Go's")]
            static $name: Object = Object {
                name: stringify!($name),
                fields: &[$(Field::new(stringify!($key), of!($of))),*],
                inlined: structs!(@inlined $($inlined { $($inner: $type),* })?),
            };
        )*
        #[cfg(test)]
        static ALL: &[&Object] = &[$(&$name),*];
    };
    (@inlined) => { None };
    (@inlined $name:ident { $($key:ident: $of:tt),* }) => {
        Some((stringify!($name), &[$(Field::new(stringify!($key), of!($of))),*]))
    };
}

structs! {
    CronJob { metadata: ObjectMeta, spec: CronJobSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    CronJobSpec {
        concurrencyPolicy: "v1.ConcurrencyPolicy", failedJobsHistoryLimit: int32, jobTemplate: JobTemplateSpec,
        schedule: string, startingDeadlineSeconds: int64, successfulJobsHistoryLimit: int32, suspend: bool,
        timeZone: string
    }
    JobTemplateSpec { metadata: ObjectMeta, spec: JobSpec }
    ReplicationController {
        metadata: ObjectMeta, spec: ReplicationControllerSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    ReplicationControllerSpec { minReadySeconds: int32, replicas: int32, selector: {string}, template: PodTemplateSpec }
    ReplicaSet {
        metadata: ObjectMeta, spec: ReplicaSetSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    ReplicaSetSpec { minReadySeconds: int32, replicas: int32, selector: LabelSelector, template: PodTemplateSpec }
    StatefulSet {
        metadata: ObjectMeta, spec: StatefulSetSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    StatefulSetSpec {
        minReadySeconds: int32, ordinals: StatefulSetOrdinals,
        persistentVolumeClaimRetentionPolicy: StatefulSetPersistentVolumeClaimRetentionPolicy,
        podManagementPolicy: "v1.PodManagementPolicyType", replicas: int32, revisionHistoryLimit: int32,
        selector: LabelSelector, serviceName: string, template: PodTemplateSpec,
        updateStrategy: StatefulSetUpdateStrategy, volumeClaimTemplates: [PersistentVolumeClaim]
    }
    StatefulSetOrdinals { start: int32 }
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        whenDeleted: "v1.PersistentVolumeClaimRetentionPolicyType",
        whenScaled: "v1.PersistentVolumeClaimRetentionPolicyType"
    }
    StatefulSetUpdateStrategy {
        rollingUpdate: RollingUpdateStatefulSetStrategy, type: "v1.StatefulSetUpdateStrategyType"
    }
    RollingUpdateStatefulSetStrategy { maxUnavailable: int_or_string, partition: int32 }
    PersistentVolumeClaim {
        metadata: ObjectMeta, spec: PersistentVolumeClaimSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    Job { metadata: ObjectMeta, spec: JobSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    JobSpec {
        activeDeadlineSeconds: int64, backoffLimit: int32, backoffLimitPerIndex: int32,
        completionMode: "v1.CompletionMode", completions: int32, managedBy: string, manualSelector: bool,
        maxFailedIndexes: int32, parallelism: int32, podFailurePolicy: PodFailurePolicy,
        podReplacementPolicy: "v1.PodReplacementPolicy", selector: LabelSelector, successPolicy: SuccessPolicy,
        suspend: bool, template: PodTemplateSpec, ttlSecondsAfterFinished: int32
    }
    SuccessPolicy { rules: [SuccessPolicyRule] }
    SuccessPolicyRule { succeededCount: int32, succeededIndexes: string }
    PodFailurePolicy { rules: [PodFailurePolicyRule] }
    PodFailurePolicyRule {
        action: "v1.PodFailurePolicyAction", onExitCodes: PodFailurePolicyOnExitCodesRequirement,
        onPodConditions: [PodFailurePolicyOnPodConditionsPattern]
    }
    PodFailurePolicyOnPodConditionsPattern { status: "v1.ConditionStatus", type: "v1.PodConditionType" }
    PodFailurePolicyOnExitCodesRequirement {
        containerName: string, operator: "v1.PodFailurePolicyOnExitCodesOperator", values: [int32]
    }
    Deployment {
        metadata: ObjectMeta, spec: DeploymentSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    DeploymentSpec {
        minReadySeconds: int32, paused: bool, progressDeadlineSeconds: int32, replicas: int32,
        revisionHistoryLimit: int32, selector: LabelSelector, strategy: DeploymentStrategy, template: PodTemplateSpec
    }
    DeploymentStrategy { rollingUpdate: RollingUpdateDeployment, type: "v1.DeploymentStrategyType" }
    RollingUpdateDeployment { maxSurge: int_or_string, maxUnavailable: int_or_string }
    DaemonSet { metadata: ObjectMeta, spec: DaemonSetSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    DaemonSetSpec {
        minReadySeconds: int32, revisionHistoryLimit: int32, selector: LabelSelector, template: PodTemplateSpec,
        updateStrategy: DaemonSetUpdateStrategy
    }
    DaemonSetUpdateStrategy { rollingUpdate: RollingUpdateDaemonSet, type: "v1.DaemonSetUpdateStrategyType" }
    RollingUpdateDaemonSet { maxSurge: int_or_string, maxUnavailable: int_or_string }
    PodTemplateSpec { metadata: ObjectMeta, spec: PodSpec }
    Pod { metadata: ObjectMeta, spec: PodSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    PodSpec {
        activeDeadlineSeconds: int64, affinity: Affinity, automountServiceAccountToken: bool, containers: [Container],
        dnsConfig: PodDNSConfig, dnsPolicy: "v1.DNSPolicy", enableServiceLinks: bool,
        ephemeralContainers: [EphemeralContainer], hostAliases: [HostAlias], hostIPC: bool, hostNetwork: bool,
        hostPID: bool, hostUsers: bool, hostname: string, hostnameOverride: string,
        imagePullSecrets: [LocalObjectReference], initContainers: [Container], nodeName: string, nodeSelector: {string},
        os: PodOS, overhead: resources, preemptionPolicy: "v1.PreemptionPolicy", priority: int32,
        priorityClassName: string, readinessGates: [PodReadinessGate], resourceClaims: [PodResourceClaim],
        resources: ResourceRequirements, restartPolicy: "v1.RestartPolicy", runtimeClassName: string,
        schedulerName: string, schedulingGates: [PodSchedulingGate], securityContext: PodSecurityContext,
        serviceAccount: string, serviceAccountName: string, setHostnameAsFQDN: bool, shareProcessNamespace: bool,
        subdomain: string, terminationGracePeriodSeconds: int64, tolerations: [Toleration],
        topologySpreadConstraints: [TopologySpreadConstraint], volumes: [Volume]
    }
    PodResourceClaim { name: string, resourceClaimName: string, resourceClaimTemplateName: string }
    PodSchedulingGate { name: string }
    PodOS { name: "v1.OSName" }
    TopologySpreadConstraint {
        labelSelector: LabelSelector, matchLabelKeys: [string], maxSkew: int32, minDomains: int32,
        nodeAffinityPolicy: "v1.NodeInclusionPolicy", nodeTaintsPolicy: "v1.NodeInclusionPolicy", topologyKey: string,
        whenUnsatisfiable: "v1.UnsatisfiableConstraintAction"
    }
    PodReadinessGate { conditionType: "v1.PodConditionType" }
    PodDNSConfig { nameservers: [string], options: [PodDNSConfigOption], searches: [string] }
    PodDNSConfigOption { name: string, value: string }
    HostAlias { hostnames: [string], ip: string }
    Toleration {
        effect: "v1.TaintEffect", key: string, operator: "v1.TolerationOperator", tolerationSeconds: int64,
        value: string
    }
    Affinity { nodeAffinity: NodeAffinity, podAffinity: PodAffinity, podAntiAffinity: PodAntiAffinity }
    PodAntiAffinity {
        preferredDuringSchedulingIgnoredDuringExecution: [WeightedPodAffinityTerm],
        requiredDuringSchedulingIgnoredDuringExecution: [PodAffinityTerm]
    }
    PodAffinity {
        preferredDuringSchedulingIgnoredDuringExecution: [WeightedPodAffinityTerm],
        requiredDuringSchedulingIgnoredDuringExecution: [PodAffinityTerm]
    }
    WeightedPodAffinityTerm { podAffinityTerm: PodAffinityTerm, weight: int32 }
    PodAffinityTerm {
        labelSelector: LabelSelector, matchLabelKeys: [string], mismatchLabelKeys: [string],
        namespaceSelector: LabelSelector, namespaces: [string], topologyKey: string
    }
    NodeAffinity {
        preferredDuringSchedulingIgnoredDuringExecution: [PreferredSchedulingTerm],
        requiredDuringSchedulingIgnoredDuringExecution: NodeSelector
    }
    PreferredSchedulingTerm { preference: NodeSelectorTerm, weight: int32 }
    NodeSelector { nodeSelectorTerms: [NodeSelectorTerm] }
    NodeSelectorTerm { matchExpressions: [NodeSelectorRequirement], matchFields: [NodeSelectorRequirement] }
    NodeSelectorRequirement { key: string, operator: "v1.NodeSelectorOperator", values: [string] }
    PodSecurityContext {
        appArmorProfile: AppArmorProfile, fsGroup: int64, fsGroupChangePolicy: "v1.PodFSGroupChangePolicy",
        runAsGroup: int64, runAsNonRoot: bool, runAsUser: int64, seLinuxChangePolicy: "v1.PodSELinuxChangePolicy",
        seLinuxOptions: SELinuxOptions, seccompProfile: SeccompProfile, supplementalGroups: [int64],
        supplementalGroupsPolicy: "v1.SupplementalGroupsPolicy", sysctls: [Sysctl],
        windowsOptions: WindowsSecurityContextOptions
    }
    Sysctl { name: string, value: string }
    EphemeralContainer {
        targetContainerName: string
    } + EphemeralContainerCommon {
        args: [string], command: [string], env: [EnvVar], envFrom: [EnvFromSource], image: string,
        imagePullPolicy: "v1.PullPolicy", lifecycle: Lifecycle, livenessProbe: Probe, name: string,
        ports: [ContainerPort], readinessProbe: Probe, resizePolicy: [ContainerResizePolicy],
        resources: ResourceRequirements, restartPolicy: "v1.ContainerRestartPolicy",
        restartPolicyRules: [ContainerRestartRule], securityContext: SecurityContext, startupProbe: Probe, stdin: bool,
        stdinOnce: bool, terminationMessagePath: string, terminationMessagePolicy: "v1.TerminationMessagePolicy",
        tty: bool, volumeDevices: [VolumeDevice], volumeMounts: [VolumeMount], workingDir: string
    }
    Container {
        args: [string], command: [string], env: [EnvVar], envFrom: [EnvFromSource], image: string,
        imagePullPolicy: "v1.PullPolicy", lifecycle: Lifecycle, livenessProbe: Probe, name: string,
        ports: [ContainerPort], readinessProbe: Probe, resizePolicy: [ContainerResizePolicy],
        resources: ResourceRequirements, restartPolicy: "v1.ContainerRestartPolicy",
        restartPolicyRules: [ContainerRestartRule], securityContext: SecurityContext, startupProbe: Probe, stdin: bool,
        stdinOnce: bool, terminationMessagePath: string, terminationMessagePolicy: "v1.TerminationMessagePolicy",
        tty: bool, volumeDevices: [VolumeDevice], volumeMounts: [VolumeMount], workingDir: string
    }
    SecurityContext {
        allowPrivilegeEscalation: bool, appArmorProfile: AppArmorProfile, capabilities: Capabilities, privileged: bool,
        procMount: "v1.ProcMountType", readOnlyRootFilesystem: bool, runAsGroup: int64, runAsNonRoot: bool,
        runAsUser: int64, seLinuxOptions: SELinuxOptions, seccompProfile: SeccompProfile,
        windowsOptions: WindowsSecurityContextOptions
    }
    AppArmorProfile { localhostProfile: string, type: "v1.AppArmorProfileType" }
    SeccompProfile { localhostProfile: string, type: "v1.SeccompProfileType" }
    WindowsSecurityContextOptions {
        gmsaCredentialSpec: string, gmsaCredentialSpecName: string, hostProcess: bool, runAsUserName: string
    }
    SELinuxOptions { level: string, role: string, type: string, user: string }
    Capabilities { add: ["v1.Capability"], drop: ["v1.Capability"] }
    Lifecycle { postStart: LifecycleHandler, preStop: LifecycleHandler, stopSignal: "v1.Signal" }
    LifecycleHandler { exec: ExecAction, httpGet: HTTPGetAction, sleep: SleepAction, tcpSocket: TCPSocketAction }
    SleepAction { seconds: int64 }
    Probe {
        failureThreshold: int32, initialDelaySeconds: int32, periodSeconds: int32, successThreshold: int32,
        terminationGracePeriodSeconds: int64, timeoutSeconds: int32
    } + ProbeHandler {
        exec: ExecAction, grpc: GRPCAction, httpGet: HTTPGetAction, tcpSocket: TCPSocketAction
    }
    GRPCAction { port: int32, service: string }
    TCPSocketAction { host: string, port: int_or_string }
    HTTPGetAction { host: string, httpHeaders: [HTTPHeader], path: string, port: int_or_string, scheme: "v1.URIScheme" }
    HTTPHeader { name: string, value: string }
    ExecAction { command: [string] }
    VolumeDevice { devicePath: string, name: string }
    VolumeMount {
        mountPath: string, mountPropagation: "v1.MountPropagationMode", name: string, readOnly: bool,
        recursiveReadOnly: "v1.RecursiveReadOnlyMode", subPath: string, subPathExpr: string
    }
    ContainerRestartRule { action: "v1.ContainerRestartRuleAction", exitCodes: ContainerRestartRuleOnExitCodes }
    ContainerRestartRuleOnExitCodes { operator: "v1.ContainerRestartRuleOnExitCodesOperator", values: [int32] }
    ContainerResizePolicy { resourceName: "v1.ResourceName", restartPolicy: "v1.ResourceResizeRestartPolicy" }
    ResourceRequirements { claims: [ResourceClaim], limits: resources, requests: resources }
    ResourceClaim { name: string, request: string }
    EnvVar { name: string, value: string, valueFrom: EnvVarSource }
    EnvVarSource {
        configMapKeyRef: ConfigMapKeySelector, fieldRef: ObjectFieldSelector, fileKeyRef: FileKeySelector,
        resourceFieldRef: ResourceFieldSelector, secretKeyRef: SecretKeySelector
    }
    FileKeySelector { key: string, optional: bool, path: string, volumeName: string }
    SecretKeySelector { key: string, optional: bool } + LocalObjectReference { name: string }
    ConfigMapKeySelector { key: string, optional: bool } + LocalObjectReference { name: string }
    EnvFromSource { configMapRef: ConfigMapEnvSource, prefix: string, secretRef: SecretEnvSource }
    SecretEnvSource { optional: bool } + LocalObjectReference { name: string }
    ConfigMapEnvSource { optional: bool } + LocalObjectReference { name: string }
    ContainerPort { containerPort: int32, hostIP: string, hostPort: int32, name: string, protocol: "v1.Protocol" }
    Volume {
        name: string
    } + VolumeSource {
        awsElasticBlockStore: AWSElasticBlockStoreVolumeSource, azureDisk: AzureDiskVolumeSource,
        azureFile: AzureFileVolumeSource, cephfs: CephFSVolumeSource, cinder: CinderVolumeSource,
        configMap: ConfigMapVolumeSource, csi: CSIVolumeSource, downwardAPI: DownwardAPIVolumeSource,
        emptyDir: EmptyDirVolumeSource, ephemeral: EphemeralVolumeSource, fc: FCVolumeSource,
        flexVolume: FlexVolumeSource, flocker: FlockerVolumeSource, gcePersistentDisk: GCEPersistentDiskVolumeSource,
        gitRepo: GitRepoVolumeSource, glusterfs: GlusterfsVolumeSource, hostPath: HostPathVolumeSource,
        image: ImageVolumeSource, iscsi: ISCSIVolumeSource, nfs: NFSVolumeSource,
        persistentVolumeClaim: PersistentVolumeClaimVolumeSource,
        photonPersistentDisk: PhotonPersistentDiskVolumeSource, portworxVolume: PortworxVolumeSource,
        projected: ProjectedVolumeSource, quobyte: QuobyteVolumeSource, rbd: RBDVolumeSource,
        scaleIO: ScaleIOVolumeSource, secret: SecretVolumeSource, storageos: StorageOSVolumeSource,
        vsphereVolume: VsphereVirtualDiskVolumeSource
    }
    ImageVolumeSource { pullPolicy: "v1.PullPolicy", reference: string }
    EphemeralVolumeSource { volumeClaimTemplate: PersistentVolumeClaimTemplate }
    PersistentVolumeClaimTemplate { metadata: ObjectMeta, spec: PersistentVolumeClaimSpec }
    PersistentVolumeClaimSpec {
        accessModes: ["v1.PersistentVolumeAccessMode"], dataSource: TypedLocalObjectReference,
        dataSourceRef: TypedObjectReference, resources: VolumeResourceRequirements, selector: LabelSelector,
        storageClassName: string, volumeAttributesClassName: string, volumeMode: "v1.PersistentVolumeMode",
        volumeName: string
    }
    TypedObjectReference { apiGroup: string, kind: string, name: string, namespace: string }
    TypedLocalObjectReference { apiGroup: string, kind: string, name: string }
    VolumeResourceRequirements { limits: resources, requests: resources }
    CSIVolumeSource {
        driver: string, fsType: string, nodePublishSecretRef: LocalObjectReference, readOnly: bool,
        volumeAttributes: {string}
    }
    StorageOSVolumeSource {
        fsType: string, readOnly: bool, secretRef: LocalObjectReference, volumeName: string, volumeNamespace: string
    }
    ScaleIOVolumeSource {
        fsType: string, gateway: string, protectionDomain: string, readOnly: bool, secretRef: LocalObjectReference,
        sslEnabled: bool, storageMode: string, storagePool: string, system: string, volumeName: string
    }
    PortworxVolumeSource { fsType: string, readOnly: bool, volumeID: string }
    ProjectedVolumeSource { defaultMode: int32, sources: [VolumeProjection] }
    VolumeProjection {
        clusterTrustBundle: ClusterTrustBundleProjection, configMap: ConfigMapProjection,
        downwardAPI: DownwardAPIProjection, podCertificate: PodCertificateProjection, secret: SecretProjection,
        serviceAccountToken: ServiceAccountTokenProjection
    }
    PodCertificateProjection {
        certificateChainPath: string, credentialBundlePath: string, keyPath: string, keyType: string,
        maxExpirationSeconds: int32, signerName: string
    }
    ClusterTrustBundleProjection {
        labelSelector: LabelSelector, name: string, optional: bool, path: string, signerName: string
    }
    LabelSelector { matchExpressions: [LabelSelectorRequirement], matchLabels: {string} }
    LabelSelectorRequirement { key: string, operator: "v1.LabelSelectorOperator", values: [string] }
    ServiceAccountTokenProjection { audience: string, expirationSeconds: int64, path: string }
    ConfigMapProjection { items: [KeyToPath], optional: bool } + LocalObjectReference { name: string }
    DownwardAPIProjection { items: [DownwardAPIVolumeFile] }
    SecretProjection { items: [KeyToPath], optional: bool } + LocalObjectReference { name: string }
    PhotonPersistentDiskVolumeSource { fsType: string, pdID: string }
    AzureDiskVolumeSource {
        cachingMode: "v1.AzureDataDiskCachingMode", diskName: string, diskURI: string, fsType: string,
        kind: "v1.AzureDataDiskKind", readOnly: bool
    }
    QuobyteVolumeSource {
        group: string, readOnly: bool, registry: string, tenant: string, user: string, volume: string
    }
    VsphereVirtualDiskVolumeSource {
        fsType: string, storagePolicyID: string, storagePolicyName: string, volumePath: string
    }
    ConfigMapVolumeSource {
        defaultMode: int32, items: [KeyToPath], optional: bool
    } + LocalObjectReference {
        name: string
    }
    AzureFileVolumeSource { readOnly: bool, secretName: string, shareName: string }
    FCVolumeSource { fsType: string, lun: int32, readOnly: bool, targetWWNs: [string], wwids: [string] }
    DownwardAPIVolumeSource { defaultMode: int32, items: [DownwardAPIVolumeFile] }
    DownwardAPIVolumeFile {
        fieldRef: ObjectFieldSelector, mode: int32, path: string, resourceFieldRef: ResourceFieldSelector
    }
    ResourceFieldSelector { containerName: string, divisor: quantity, resource: string }
    ObjectFieldSelector { apiVersion: string, fieldPath: string }
    FlockerVolumeSource { datasetName: string, datasetUUID: string }
    CephFSVolumeSource {
        monitors: [string], path: string, readOnly: bool, secretFile: string, secretRef: LocalObjectReference,
        user: string
    }
    CinderVolumeSource { fsType: string, readOnly: bool, secretRef: LocalObjectReference, volumeID: string }
    FlexVolumeSource {
        driver: string, fsType: string, options: {string}, readOnly: bool, secretRef: LocalObjectReference
    }
    RBDVolumeSource {
        fsType: string, image: string, keyring: string, monitors: [string], pool: string, readOnly: bool,
        secretRef: LocalObjectReference, user: string
    }
    PersistentVolumeClaimVolumeSource { claimName: string, readOnly: bool }
    GlusterfsVolumeSource { endpoints: string, path: string, readOnly: bool }
    ISCSIVolumeSource {
        chapAuthDiscovery: bool, chapAuthSession: bool, fsType: string, initiatorName: string, iqn: string,
        iscsiInterface: string, lun: int32, portals: [string], readOnly: bool, secretRef: LocalObjectReference,
        targetPortal: string
    }
    LocalObjectReference { name: string }
    NFSVolumeSource { path: string, readOnly: bool, server: string }
    SecretVolumeSource { defaultMode: int32, items: [KeyToPath], optional: bool, secretName: string }
    KeyToPath { key: string, mode: int32, path: string }
    GitRepoVolumeSource { directory: string, repository: string, revision: string }
    AWSElasticBlockStoreVolumeSource { fsType: string, partition: int32, readOnly: bool, volumeID: string }
    GCEPersistentDiskVolumeSource { fsType: string, partition: int32, pdName: string, readOnly: bool }
    EmptyDirVolumeSource { medium: "v1.StorageMedium", sizeLimit: quantity }
    HostPathVolumeSource { path: string, type: "v1.HostPathType" }
    ObjectMeta {
        annotations: {string}, creationTimestamp: time, deletionGracePeriodSeconds: int64, deletionTimestamp: time,
        finalizers: [string], generateName: string, generation: int64, labels: {string},
        managedFields: [ManagedFieldsEntry], name: string, namespace: string, ownerReferences: [OwnerReference],
        resourceVersion: string, selfLink: string, uid: "types.UID"
    }
    ManagedFieldsEntry {
        apiVersion: string, fieldsType: string, fieldsV1: any, manager: string,
        operation: "v1.ManagedFieldsOperationType", subresource: string, time: time
    }
    OwnerReference {
        apiVersion: string, blockOwnerDeletion: bool, controller: bool, kind: string, name: string, uid: "types.UID"
    }
    ConfigMap {
        binaryData: {string}, data: {string}, immutable: bool, metadata: ObjectMeta
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    Secret {
        data: {string}, immutable: bool, metadata: ObjectMeta, stringData: {string}, type: "v1.SecretType"
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    Namespace {
        metadata: ObjectMeta, spec: NamespaceSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    NamespaceSpec { finalizers: [string] }
    ServiceAccount {
        automountServiceAccountToken: bool, imagePullSecrets: [LocalObjectReference], metadata: ObjectMeta,
        secrets: [ObjectReference]
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    ObjectReference {
        apiVersion: string, fieldPath: string, kind: string, name: string, namespace: string, resourceVersion: string,
        uid: "types.UID"
    }
    PodTemplate { metadata: ObjectMeta, template: PodTemplateSpec } + TypeMeta { apiVersion: string, kind: string }
    LimitRange { metadata: ObjectMeta, spec: LimitRangeSpec } + TypeMeta { apiVersion: string, kind: string }
    LimitRangeSpec { limits: [any] }
    ResourceQuota {
        metadata: ObjectMeta, spec: ResourceQuotaSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    ResourceQuotaSpec { hard: resources, scopeSelector: ScopeSelector, scopes: [string] }
    ScopeSelector { matchExpressions: [any] }
    Service { metadata: ObjectMeta, spec: ServiceSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    ServiceSpec {
        allocateLoadBalancerNodePorts: bool, clusterIP: string, clusterIPs: [string], externalIPs: [string],
        externalName: string, externalTrafficPolicy: string, healthCheckNodePort: int32, internalTrafficPolicy: string,
        ipFamilies: [string], ipFamilyPolicy: string, loadBalancerClass: string, loadBalancerIP: string,
        loadBalancerSourceRanges: [string], ports: [ServicePort], publishNotReadyAddresses: bool, selector: {string},
        sessionAffinity: string, sessionAffinityConfig: SessionAffinityConfig, trafficDistribution: string,
        type: "v1.ServiceType"
    }
    ServicePort {
        appProtocol: string, name: string, nodePort: int32, port: int32, protocol: "v1.Protocol",
        targetPort: int_or_string
    }
    SessionAffinityConfig { clientIP: ClientIPConfig }
    ClientIPConfig { timeoutSeconds: int32 }
    HorizontalPodAutoscaler {
        metadata: ObjectMeta, spec: HorizontalPodAutoscalerSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    HorizontalPodAutoscalerSpec {
        behavior: HorizontalPodAutoscalerBehavior, maxReplicas: int32, metrics: [any], minReplicas: int32,
        scaleTargetRef: CrossVersionObjectReference
    }
    HorizontalPodAutoscalerBehavior { scaleDown: HPAScalingRules, scaleUp: HPAScalingRules }
    HPAScalingRules {
        policies: [any], selectPolicy: string, stabilizationWindowSeconds: int32, tolerance: quantity
    }
    CrossVersionObjectReference { apiVersion: string, kind: string, name: string }
    Ingress { metadata: ObjectMeta, spec: IngressSpec, status: any } + TypeMeta { apiVersion: string, kind: string }
    IngressSpec { defaultBackend: IngressBackend, ingressClassName: string, rules: [any], tls: [any] }
    IngressBackend { resource: TypedLocalObjectReference, service: IngressServiceBackend }
    IngressServiceBackend { name: string, port: ServiceBackendPort }
    ServiceBackendPort { name: string, number: int32 }
    NetworkPolicy { metadata: ObjectMeta, spec: NetworkPolicySpec } + TypeMeta { apiVersion: string, kind: string }
    NetworkPolicySpec { egress: [any], ingress: [any], podSelector: LabelSelector, policyTypes: [string] }
    PodDisruptionBudget {
        metadata: ObjectMeta, spec: PodDisruptionBudgetSpec, status: any
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    PodDisruptionBudgetSpec {
        maxUnavailable: int_or_string, minAvailable: int_or_string, selector: LabelSelector,
        unhealthyPodEvictionPolicy: string
    }
    ClusterRole {
        aggregationRule: AggregationRule, metadata: ObjectMeta, rules: [any]
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    AggregationRule { clusterRoleSelectors: [any] }
    Role { metadata: ObjectMeta, rules: [any] } + TypeMeta { apiVersion: string, kind: string }
    RoleBinding {
        metadata: ObjectMeta, roleRef: RoleRef, subjects: [any]
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    RoleRef { apiGroup: string, kind: string, name: string }
    PriorityClass {
        description: string, globalDefault: bool, metadata: ObjectMeta, preemptionPolicy: "v1.PreemptionPolicy",
        value: int32
    } + TypeMeta {
        apiVersion: string, kind: string
    }
    StorageClass {
        allowVolumeExpansion: bool, allowedTopologies: [any], metadata: ObjectMeta, mountOptions: [string],
        parameters: {string}, provisioner: string, reclaimPolicy: string, volumeBindingMode: string
    } + TypeMeta {
        apiVersion: string, kind: string
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sorted() {
        for object in ALL {
            assert!(object.fields.is_sorted_by_key(|field| field.key), "{}", object.name);
            let (name, fields) = object.inlined.unwrap_or_default();
            assert!(fields.is_sorted_by_key(|field| field.key), "{name}");
        }
    }
}
