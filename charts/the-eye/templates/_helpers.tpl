{{- define "the-eye.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "the-eye.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "the-eye.name" .) .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (include "the-eye.name" .) | trunc 50 | trimSuffix "-" }}{{ end }}
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

{{- define "the-eye.databaseSecret" -}}
{{ if .Values.postgresql.enabled }}{{ include "the-eye.fullname" . }}-postgresql{{ else }}{{ .Values.database.existingSecret }}{{ end }}
{{- end }}

{{/* Bytes of a quantity such as 768Mi, 1Gi or a plain number. */}}
{{- define "the-eye.bytes" -}}
{{- $q := toString . -}}
{{- if regexMatch "^[0-9]+Gi$" $q }}{{ mul (trimSuffix "Gi" $q | int64) 1073741824 }}
{{- else if regexMatch "^[0-9]+Mi$" $q }}{{ mul (trimSuffix "Mi" $q | int64) 1048576 }}
{{- else if regexMatch "^[0-9]+$" $q }}{{ $q }}
{{- else }}{{ fail (printf "resources.limits.memory: %s cannot be read; write it in Mi or Gi, such as 768Mi" $q) }}{{ end }}
{{- end }}

{{/* Seconds of a duration in whole s, m or h. */}}
{{- define "the-eye.seconds" -}}
{{- $d := toString . -}}
{{- if regexMatch "^[0-9]+s$" $d }}{{ trimSuffix "s" $d | int }}
{{- else if regexMatch "^[0-9]+m$" $d }}{{ mul (trimSuffix "m" $d | int) 60 }}
{{- else if regexMatch "^[0-9]+h$" $d }}{{ mul (trimSuffix "h" $d | int) 3600 }}
{{- else if eq $d "0" }}0
{{- else }}{{ fail (printf "config: %s cannot be compared with terminationGracePeriodSeconds; write whole seconds, such as 25s" $d) }}{{ end }}
{{- end }}

{{/* The environment that the service and its commands share. */}}
{{- define "the-eye.env" -}}
- {name: THEEYE_DATABASE_URL_FILE, value: /etc/the-eye/database/url}
{{- with .Values.resources.limits }}{{ with .memory }}
- {name: GOMEMLIMIT, value: {{ div (mul (include "the-eye.bytes" . | int64) 9) 10 | toString | quote }}}
{{- end }}{{ end }}
{{- range $key, $value := .Values.config }}
- {name: {{ printf "THEEYE_%s" ($key | replace "." "_" | upper) }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- with .Values.telemetry.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "the-eye.migrate" -}}
name: migrate
image: {{ include "the-eye.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [migrate, up]
env:
  - {name: THEEYE_DATABASE_URL_FILE, value: /etc/the-eye/database/url}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
resources: {requests: {cpu: 50m, memory: 64Mi}, limits: {memory: 256Mi}}
volumeMounts:
  - {name: migration, mountPath: /etc/the-eye/database, readOnly: true}
{{- end }}

{{- define "the-eye.migrationVolume" -}}
name: migration
secret:
  secretName: {{ .Values.database.migrationSecret | default (include "the-eye.databaseSecret" .) }}
  items: [{key: {{ if .Values.postgresql.enabled }}url{{ else }}{{ .Values.database.existingSecretKey }}{{ end }}, path: url}]
{{- end }}
