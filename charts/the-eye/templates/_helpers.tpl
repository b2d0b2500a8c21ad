{{- define "the-eye.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Short enough for what is added to it. */}}
{{- define "the-eye.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains (include "the-eye.name" .) .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "the-eye.name" .) | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "the-eye.selector" -}}
app.kubernetes.io/name: {{ include "the-eye.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "the-eye.labels" -}}
{{ include "the-eye.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "the-eye.image" -}}
{{ .Values.image.repository }}{{ if .Values.image.digest }}@{{ .Values.image.digest }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The Secret that holds the connection string of the service, and the key in it. */}}
{{- define "the-eye.databaseSecret" -}}
{{- if .Values.postgresql.enabled }}{{ .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "the-eye.fullname" .)) }}
{{- else if .Values.cnpg.enabled }}{{ include "the-eye.fullname" . }}-db-app
{{- else if .Values.externalSecret.enabled }}{{ include "the-eye.fullname" . }}-database
{{- else }}{{ .Values.database.existingSecret }}{{ end }}
{{- end }}

{{- define "the-eye.databaseKey" -}}
{{- if .Values.cnpg.enabled }}uri
{{- else if or .Values.postgresql.enabled .Values.externalSecret.enabled }}url
{{- else }}{{ .Values.database.existingSecretKey }}{{ end }}
{{- end }}

{{/* Whether somebody else than the Deployment decides on replicas; empty is no. */}}
{{- define "the-eye.scaled" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled }}true{{ end }}
{{- end }}

{{- define "the-eye.minReplicas" -}}
{{ if include "the-eye.scaled" . }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{- define "the-eye.maxReplicas" -}}
{{ if include "the-eye.scaled" . }}{{ .Values.autoscaling.maxReplicas }}{{ else }}{{ .Values.replicaCount }}{{ end }}
{{- end }}

{{/* Pods beyond the replicas during a rollout. Kubernetes rounds a percentage up; 25% is its default. */}}
{{- define "the-eye.surge" -}}
{{- $surge := toString (dig "rollingUpdate" "maxSurge" "25%" .Values.strategy) -}}
{{- if eq (toString .Values.strategy.type) "Recreate" }}0
{{- else if hasSuffix "%" $surge }}{{ div (add (mul (include "the-eye.maxReplicas" . | int) (trimSuffix "%" $surge | int)) 99) 100 }}
{{- else }}{{ $surge | int }}{{ end }}
{{- end }}

{{/* Bytes of a quantity such as 768Mi, 1Gi or a plain number. */}}
{{- define "the-eye.bytes" -}}
{{- $q := include "the-eye.text" . -}}
{{- if regexMatch "^[0-9]+Gi$" $q }}{{ mul (trimSuffix "Gi" $q | int64) 1073741824 }}
{{- else if regexMatch "^[0-9]+Mi$" $q }}{{ mul (trimSuffix "Mi" $q | int64) 1048576 }}
{{- else if regexMatch "^[0-9]+$" $q }}{{ $q }}
{{- else }}{{ fail (printf "resources.limits.memory: %s cannot be read; write it in Mi or Gi, such as 768Mi" $q) }}{{ end }}
{{- end }}

{{/* Seconds of a duration as the settings of the service have them, rounded up: 25s, 1m30s, 1500ms. */}}
{{- define "the-eye.seconds" -}}
{{- $d := include "the-eye.text" . -}}
{{- if not (regexMatch "^(0|([0-9]+(ms|s|m|h|d))+)$" $d) }}{{ fail (printf "config: %s cannot be compared with other times; write whole numbers, such as 25s or 1m30s" $d) }}{{ end }}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 }}
{{- $all := 0 }}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" $d -1 }}
{{- $all = add $all (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .))) }}
{{- end }}
{{- div (add $all 999) 1000 }}
{{- end }}

{{/* Text of a value as it was meant. From a file of values a number is a float, of which a large one
     would be printed as 1e+06, and on and off are true and false, which the service does not know. */}}
{{- define "the-eye.text" -}}
{{ if kindIs "float64" . }}{{ int64 . }}{{ else if kindIs "bool" . }}{{ ternary "on" "off" . }}{{ else }}{{ toString . }}{{ end }}
{{- end }}

{{/* Seconds of a setting: list of the root, its key, and its default. */}}
{{- define "the-eye.setting" -}}
{{- $root := index . 0 }}{{ $key := index . 1 }}
{{- include "the-eye.seconds" (ternary (get $root.Values.config $key) (index . 2) (hasKey $root.Values.config $key)) }}
{{- end }}

{{/* The longest that a request takes: its body arrives, and then it is answered. A proxy waits 5 s longer. */}}
{{- define "the-eye.proxySeconds" -}}
{{- $read := include "the-eye.setting" (list . "http.read_timeout" "15s") | int }}
{{- $store := include "the-eye.setting" (list . "http.budget" "5s") | int }}
{{- $ask := include "the-eye.setting" (list . "database.read_timeout" "30s") | int }}
{{- add $read (max $store $ask) 5 }}
{{- end }}

{{/* Where the connection string is, and the settings about the database: what every command needs. */}}
{{- define "the-eye.databaseEnv" -}}
- {name: THEEYE_DATABASE_URL_FILE, value: /etc/the-eye/database/url}
{{- range $key, $value := .Values.config }}{{ if hasPrefix "database." $key }}
- {name: {{ printf "THEEYE_%s" ($key | replace "." "_" | upper) }}, value: {{ include "the-eye.text" $value | quote }}}
{{- end }}{{ end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The environment of the service. */}}
{{- define "the-eye.env" -}}
{{- with .Values.resources.limits }}{{ with .memory }}
- {name: GOMEMLIMIT, value: {{ div (mul (include "the-eye.bytes" . | int64) 9) 10 | toString | quote }}}
{{- end }}{{ end }}
{{- range $key, $value := .Values.config }}{{ if not (hasPrefix "database." $key) }}
- {name: {{ printf "THEEYE_%s" ($key | replace "." "_" | upper) }}, value: {{ include "the-eye.text" $value | quote }}}
{{- end }}{{ end }}
{{- with .Values.telemetry.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: OTEL_RESOURCE_ATTRIBUTES, value: "k8s.namespace.name={{ $.Release.Namespace }},k8s.pod.name=$(POD_NAME)"}
{{- end }}
{{- with .Values.telemetry.protocol }}
- {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.telemetry.sampler }}
- {name: OTEL_TRACES_SAMPLER, value: {{ . | quote }}}
{{- end }}
{{- with .Values.telemetry.samplerArg }}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ . | quote }}}
{{- end }}
{{ include "the-eye.databaseEnv" . }}
{{- end }}

{{/* A container that runs one command: dict of root, name and args. */}}
{{- define "the-eye.command" -}}
name: {{ .name }}
image: {{ include "the-eye.image" .root }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
args: {{ toJson .args }}
env: {{- include "the-eye.databaseEnv" .root | nindent 2 }}
{{- with .root.Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .root.Values.securityContext | nindent 2 }}
resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}
volumeMounts:
  - {name: {{ .volume | default "database" }}, mountPath: /etc/the-eye/database, readOnly: true}
  {{- if .eventTypes }}
  - {name: event-types, mountPath: /event-types, readOnly: true}
  {{- end }}
  {{- with .root.Values.extraVolumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{/* A pod that runs one command and ends: as above; secret and key are where the connection string is; eventTypes is a ConfigMap to mount. */}}
{{- define "the-eye.commandPod" -}}
restartPolicy: Never
automountServiceAccountToken: {{ hasKey . "account" }}
{{- with .account }}
serviceAccountName: {{ . }}
{{- end }}
enableServiceLinks: false
securityContext: {{- toYaml .root.Values.podSecurityContext | nindent 2 }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - {{- include "the-eye.command" . | nindent 4 }}
volumes:
  - name: database
    secret: {secretName: {{ .secret }}, items: [{key: {{ .key }}, path: url}]}
  {{- with .eventTypes }}
  - {name: event-types, configMap: {name: {{ . }}}}
  {{- end }}
  {{- with .root.Values.extraVolumes }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end }}

{{/* The pod that brings the schema up to date. A role of its own may do it. */}}
{{- define "the-eye.migratePod" -}}
{{- $secret := include "the-eye.migrationSecret" . | splitList "/" }}
{{- include "the-eye.commandPod" (dict "root" . "name" "migrate" "args" (list "migrate" "up") "secret" (index $secret 0) "key" (index $secret 1)) }}
{{- end }}

{{- define "the-eye.migrationSecret" -}}
{{- with .Values.database.migrationSecret }}{{ . }}/{{ $.Values.database.existingSecretKey }}
{{- else }}{{ include "the-eye.databaseSecret" . }}/{{ include "the-eye.databaseKey" . }}{{ end }}
{{- end }}
