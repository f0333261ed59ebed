{{- define "triage.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "triage.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "triage.labels" -}}
{{ include "triage.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "triage.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "triage.sasl" -}}
{{- if hasPrefix "SASL_" .Values.kafka.securityProtocol }}true{{ end -}}
{{- end -}}

{{- /* What the schema cannot see: values that must agree with each other. */ -}}
{{- define "triage.check" -}}
{{- $partitions := int .Values.kafka.partitions -}}
{{- with .Values.worker.autoscaling -}}
{{- if .enabled -}}
{{- if gt (int .maxReplicas) $partitions -}}
{{- fail (printf "worker.autoscaling.maxReplicas (%d) is above kafka.partitions (%d)" (int .maxReplicas) $partitions) -}}
{{- end -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "worker.autoscaling.minReplicas (%d) is above maxReplicas (%d)" (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
{{- if and (eq .kind "hpa") (not .targetCpu) (not .lagMetric) -}}
{{- fail "worker.autoscaling needs targetCpu or lagMetric" -}}
{{- end -}}
{{- else if gt (int $.Values.worker.replicas) $partitions -}}
{{- fail (printf "worker.replicas (%d) is above kafka.partitions (%d)" (int $.Values.worker.replicas) $partitions) -}}
{{- end -}}
{{- end -}}
{{- if and (include "triage.sasl" .) (not .Values.kafka.sasl.existingSecret) -}}
{{- fail (printf "kafka.securityProtocol %s needs kafka.sasl.existingSecret" .Values.kafka.securityProtocol) -}}
{{- end -}}
{{- if and .Values.server.oidc.issuer (not .Values.server.publicUrl) -}}
{{- fail "server.oidc.issuer needs server.publicUrl" -}}
{{- end -}}
{{- if and .Values.server.oidc.issuer (not .Values.server.oidc.clientId) -}}
{{- fail "server.oidc.issuer needs server.oidc.clientId" -}}
{{- end -}}
{{- end -}}

{{- /* The pod of a component: {root, component, command, port, secrets, resources}. */ -}}
{{- define "triage.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $desk := and (eq .component "server") (or $values.server.desk.answers $values.server.desk.tokensCss) -}}
metadata:
  labels:
    {{- include "triage.labels" . | nindent 4 }}
  annotations:
    # A changed profile or setting rolls the pods.
    checksum/settings: {{ include (print $root.Template.BasePath "/settings.yaml") $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "triage.fullname" $root }}
  automountServiceAccountToken: false
  # A Service called triage would set TRIAGE_PORT to an address.
  enableServiceLinks: false
  terminationGracePeriodSeconds: 30
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    seccompProfile:
      type: RuntimeDefault
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "triage.selector" . | nindent 10 }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "triage.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .command }}
      envFrom:
        - configMapRef:
            name: {{ include "triage.fullname" $root }}-settings
      env:
        {{- if $values.redis.existingSecret }}
        - name: TRIAGE_QUEUE
          valueFrom:
            secretKeyRef:
              name: {{ $values.redis.existingSecret }}
              key: {{ $values.redis.urlKey }}
        {{- else }}
        - name: TRIAGE_QUEUE
          value: {{ $values.redis.url | quote }}
        {{- end }}
        {{- if include "triage.sasl" $root }}
        - name: TRIAGE_KAFKA_USERNAME
          valueFrom:
            secretKeyRef:
              name: {{ $values.kafka.sasl.existingSecret }}
              key: {{ $values.kafka.sasl.usernameKey }}
        {{- end }}
        {{- if eq .component "server" }}
        {{- if $values.server.desk.answers }}
        - {name: TRIAGE_ANSWERS_FILE, value: /etc/triage/desk/answers.toml}
        {{- end }}
        {{- if $values.server.desk.tokensCss }}
        - {name: TRIAGE_TOKENS_CSS, value: /etc/triage/desk/tokens.css}
        {{- end }}
        {{- end }}
        {{- range .secrets }}
        {{- if .secret }}
        - name: {{ .variable }}
          value: /etc/triage/{{ .name }}/{{ .key }}
        {{- end }}
        {{- end }}
      ports:
        - name: http
          containerPort: {{ .port }}
      startupProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: http}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: http}
        periodSeconds: 5
        timeoutSeconds: 5
      {{- if eq .component "server" }}
      lifecycle:
        preStop:
          # Until no proxy sends new requests here.
          sleep: {seconds: 5}
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        runAsNonRoot: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        - {name: data, mountPath: /var/lib/triage}
        {{- if $values.models.enabled }}
        # Servers promote, workers only read; workers count what servers show.
        - {name: models, mountPath: /models, subPath: models, readOnly: {{ ne .component "server" }}}
        - {name: models, mountPath: /var/lib/triage/counts, subPath: counts}
        {{- end }}
        {{- if $desk }}
        - {name: desk, mountPath: /etc/triage/desk, readOnly: true}
        {{- end }}
        {{- if $values.profile.inline }}
        - {name: profile, mountPath: /etc/triage/profile, readOnly: true}
        {{- end }}
        {{- range .secrets }}
        {{- if .secret }}
        - {name: {{ .name }}, mountPath: /etc/triage/{{ .name }}, readOnly: true}
        {{- end }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: 128Mi}
    # Ends with the pod: posts, tickets, sessions, hand-overs and the record stand in Kafka and Redis.
    - name: data
      emptyDir: {sizeLimit: 128Mi}
    {{- if $values.models.enabled }}
    - name: models
      persistentVolumeClaim:
        claimName: {{ $values.models.existingClaim | default (printf "%s-models" (include "triage.fullname" $root)) }}
    {{- end }}
    {{- if $desk }}
    - name: desk
      configMap:
        name: {{ include "triage.fullname" $root }}-desk
    {{- end }}
    {{- if $values.profile.inline }}
    - name: profile
      configMap:
        name: {{ include "triage.fullname" $root }}-profile
    {{- end }}
    {{- range .secrets }}
    {{- if .secret }}
    - name: {{ .name }}
      secret:
        secretName: {{ .secret }}
        items:
          - {key: {{ .key }}, path: {{ .key }}}
        defaultMode: 0440
    {{- end }}
    {{- end }}
{{- end -}}

{{- /* Secrets that every component mounts, as JSON. */ -}}
{{- define "triage.kafkaSecrets" -}}
{{- $sasl := ternary .Values.kafka.sasl.existingSecret "" (eq (include "triage.sasl" .) "true") -}}
{{- list
  (dict "name" "kafka-password" "variable" "TRIAGE_KAFKA_PASSWORD_FILE" "secret" $sasl "key" .Values.kafka.sasl.passwordKey)
  (dict "name" "kafka-ca" "variable" "TRIAGE_KAFKA_CA_FILE" "secret" .Values.kafka.ca.existingSecret "key" .Values.kafka.ca.key)
  | toJson -}}
{{- end -}}
