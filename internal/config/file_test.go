package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func TestFilesThatAreRight(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]string{
		"empty":        "",
		"comments":     "# nothing\n",
		"empty group":  "http:\n  # listen: x\nlog:\n",
		"null":         "~",
		"byte order":   "\ufefflog: {level: info}\n",
		"quoted":       `"http": {"listen": ":80"}`,
		"dotted":       "http.listen: :80\n",
		"number":       "retention: {events: 0}\nlimits: {max_ahead: 0}\n",
		"end of yaml":  "---\nlog: {level: info}\n...\n",
		"carriage":     "log:\r\n  level: info\r\n",
		"empty secret": "database: {url: ''}\n",
	} {
		_, err := config.Load(config.Sources{File: write(t, "c.yaml", content)})
		require.NoError(t, err, name)
	}
}

func TestFilesThatAreWrong(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]string{
		"http:\n  listn: x":                               "line 2: unknown setting http.listn; the nearest known one is http.listen",
		"htp: {listen: x}":                                "unknown setting htp; the nearest known one is ",
		"http: {listen: {host: x}}":                       "line 1: http.listen has no value",
		"http: {listen: [x]}":                             "http.listen has no value",
		"http: {listen: }":                                "http.listen has no value",
		"http: 5":                                         "line 1: http holds settings; give them below it",
		"[1, 2]":                                          "line 1: the file holds settings; give them below it",
		"log:\n  level: info\n  level: warn":              "line 3: log.level is already set in line 2",
		"log: {level: info}\nlog.level: warn":             "line 2: log.level is already set in line 1",
		"a: 1\n---\nb: 2":                                 "more than one YAML document",
		"log: {level: info}\n---\nlog: {level: ]":         "more than one YAML document",
		"log: {level: [":                                  "is not valid YAML: yaml:",
		"log: &l {level: info}\n<<: *l":                   "line 2: unknown setting (a text that is not a name)",
		"log: {level: &l info, format: *l}":               "log.format has no value",
		"http: {listen: 8080}":                            `is "8080": give host:port`,
		"ingest: {lanes: 1.5}":                            `is "1.5": give a whole number`,
		"? {a: b}\n: c":                                   "unknown setting (a text that is not a name)",
		"database: {postgres://u:hunter2@h/db: }":         "unknown setting (a text that is not a name)",
		"database: {url: *hunter2 }":                      "a value begins with * or &: put it in quotes",
		"database: {url: [hunter2]}":                      "database.url has no value",
		"database: {url: hunter2}":                        "database.url (file",
		"database: {urls: hunter2}":                       "unknown setting database.urls; the nearest known one is database.url",
		"database: hunter2":                               "database holds settings",
		"http: {listen: 'postgres://u:hunter2@h/db'}":     "is ***: give host:port",
		"http: {listen: 'host=h Password=hunter2'}":       "is ***: give host:port",
		"database: {pooler: \"a\\nb\"}":                   `is "a\nb": give one of none, transaction`,
		"database:\n  url: 'x'\n  password: 'hunter2'\n ": "unknown setting database.password",
	} {
		_, err := config.Load(config.Sources{File: write(t, "c.yaml", content)})
		require.ErrorContains(t, err, want, content)
		require.NotContains(t, err.Error(), "hunter2")
	}

	_, err := config.Load(config.Sources{File: t.TempDir()})
	require.ErrorContains(t, err, "settings file: ")
}

// FuzzFile checks Load with any file: it returns, and every setting it returns obeys
// its rules.
func FuzzFile(f *testing.F) {
	f.Add("http: {listen: ':80'}\nretention:\n  events: 365d\n")
	f.Add("log: &l {level: info}\n<<: *l\n")
	f.Add("limits: {body_bytes: 9223372036854775807GiB}")
	f.Fuzz(func(t *testing.T, content string) {
		c, err := config.Load(config.Sources{File: write(t, "c.yaml", content)})
		if err != nil {
			require.Zero(t, c)
			return
		}

		require.Positive(t, c.Limits.BodyBytes)
		require.GreaterOrEqual(t, c.Limits.InflatedBytes, c.Limits.BodyBytes)
		require.Greater(t, c.Drain.Timeout, c.Drain.Delay+c.HTTP.Budget)
	})
}
