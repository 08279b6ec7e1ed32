{{/* The operator's own objects are called <release>-operator. */}}
{{- define "foretide.name" -}}
{{ printf "%s-operator" .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What selects the operator's pods; fixed for ever, because a Deployment's selector cannot change. */}}
{{- define "foretide.selector" -}}
app.kubernetes.io/name: foretide
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "foretide.labels" -}}
{{ include "foretide.selector" . }}
app.kubernetes.io/component: operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{/* A digest names the bytes, so it wins over a tag. */}}
{{- define "foretide.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end }}
