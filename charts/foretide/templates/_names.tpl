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

{{- define "foretide.prometheusFolder" -}}
/etc/foretide/prometheus
{{- end }}

{{/* What lets the operator in to Prometheus, as environment variables; of secrets only the paths of their files. */}}
{{- define "foretide.prometheus" -}}
{{- $prometheus := . -}}
{{- range $key, $variable := dict
  "bearerTokenKey" "BEARER_TOKEN_FILE"
  "passwordKey" "PASSWORD_FILE"
  "caKey" "CA_FILE"
  "clientCertificateKey" "CLIENT_CERTIFICATE_FILE"
  "clientKeyKey" "CLIENT_KEY_FILE"
}}
{{- with get $prometheus $key }}
{{- if not $prometheus.secretName }}
{{- fail (printf "prometheus.%s = %s is a key of a Secret: set prometheus.secretName to the Secret's name" $key .) }}
{{- end }}
- name: FORETIDE_PROMETHEUS_{{ $variable }}
  value: {{ printf "%s/%s" (include "foretide.prometheusFolder" $) . | quote }}
{{- end }}
{{- end }}
{{- with .username }}
- name: FORETIDE_PROMETHEUS_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- with .tenant }}
- name: FORETIDE_PROMETHEUS_TENANT_HEADER
  value: {{ $prometheus.tenantHeader | quote }}
- name: FORETIDE_PROMETHEUS_TENANT
  value: {{ . | quote }}
{{- end }}
{{- end }}
