package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func TestVariablesOfOthersAreIgnored(t *testing.T) {
	t.Parallel()
	_, err := config.Load(config.Sources{Environ: []string{
		"THEEYE_URL=http://127.0.0.1:8080", "THEEYE_OPS_URL=http://127.0.0.1:8081", "THEEYE_INGEST_KEY=a", "THEEYE_READ_KEY=b", "THEEYE_ADMIN_KEY=c", "THEEYE_PUBLIC_KEY=e", "THEEYE_KEY=d",
		// A Service called theeye, and others that begin with it.
		"THEEYE_SERVICE_HOST=10.0.0.1", "THEEYE_SERVICE_PORT=80", "THEEYE_SERVICE_PORT_HTTP=80",
		"THEEYE_PORT=tcp://10.0.0.1:80", "THEEYE_PORT_80_TCP=tcp://10.0.0.1:80", "THEEYE_PORT_80_TCP_PROTO=tcp",
		"THEEYE_PORT_80_TCP_PORT=80", "THEEYE_PORT_80_TCP_ADDR=10.0.0.1",
		"THEEYE_OPS_SERVICE_HOST=10.0.0.2", "THEEYE_MY_OPS_PORT_8081_UDP_ADDR=10.0.0.2", "THEEYE_MY_OPS_PORT=udp://10.0.0.2:1",
		"THEEYES=1", "EYE_HTTP_LISTEN=x",
	}})
	require.NoError(t, err)
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()
	for variable, nearest := range map[string]string{
		"THEEYE_HTTP_LISTN=x":                   "unknown variable THEEYE_HTTP_LISTN; the nearest known one is THEEYE_HTTP_LISTEN",
		"THEEYE_HTTP_LISTEN_FILE=x":             "the nearest known one is THEEYE_HTTP_LISTEN",
		"THEEYE_DATABASE_URI=postgres://u:p@h/": "the nearest known one is THEEYE_DATABASE_URL",
		"THEEYE_DATABASE_URL_FIL=x":             "the nearest known one is THEEYE_DATABASE_URL_FILE",
		"THEEYE_HTTP_PORT=8080":                 "unknown variable THEEYE_HTTP_PORT; the nearest known one is THEEYE_",
		"THEEYE_PORT_TCP=8080":                  "unknown variable THEEYE_PORT_TCP",
		"THEEYE_PORT_80_TCP_HOST=x":             "unknown variable THEEYE_PORT_80_TCP_HOST",
		"THEEYE_=x":                             "unknown variable THEEYE_",
		"THEEYE_http_listen=":                   "unknown variable THEEYE_http_listen",
		"THEEYE_A\nB=x":                         "unknown variable (a text that is not a name)",
	} {
		_, err := config.Load(config.Sources{Environ: []string{variable}})
		require.ErrorContains(t, err, nearest)
		require.NotContains(t, err.Error(), "u:p@h")
	}
}

func TestNoSettingLooksLikeALink(t *testing.T) {
	t.Parallel()
	for _, s := range config.Settings() {
		require.NotRegexp(t, `_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d.*)?)$`, s.Env, "Kubernetes may set it")
	}
}
