package config_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func TestConnectionStringsAreRedacted(t *testing.T) {
	t.Parallel()
	for dsn, want := range map[string]string{
		"": "",
		"postgres://eye:hunter2@db:5432/eye?sslmode=require":        "postgres://eye:***@db:5432/eye?sslmode=require",
		"postgresql://eye@db/eye":                                   "postgresql://eye@db/eye",
		"postgres://eye:@db/eye":                                    "postgres://eye:***@db/eye",
		"postgres:///eye?host=/tmp&user=eye&password=hunter2":       "postgres:///eye?host=/tmp&user=eye&password=***",
		"postgres://eye:hunter2@a:1,b:2/eye":                        "postgres://eye:***@a:1,b:2/eye",
		"postgres://eye:hunter2@[::1]:5432/eye":                     "postgres://eye:***@[::1]:5432/eye",
		"postgres://eye:hunter2@[::1]/eye":                          "postgres://eye:***@[::1]/eye",
		"postgres://eye:hun@ter2@db/eye":                            "postgres://eye:***@db/eye",
		"postgres://eye:hunter2@db/eye?sslpassword=x&hunter2":       "postgres://eye:***@db/eye?sslpassword=***&***",
		"postgres://eye:hun/ter2@db/eye":                            "***",
		"postgres://eye:1/hunter2@db/eye":                           "***",
		"postgres://eye:1?hunter2@db/eye":                           "***",
		"postgres://eye:1#hunter2@db/eye":                           "***",
		"postgres://eye:hunter2":                                    "***",
		"postgres://eye:hunter2@db/eye\n":                           "***",
		"host=db user=eye password=hunter2 dbname=eye":              "host=db user=eye password=*** dbname=eye",
		"host = db password = 'hunter2 \\' hunter2' dbname='e y e'": "host=db password=*** dbname='e y e'",
		"password=hunter2\\ hunter2 dbname=eye":                     "password=*** dbname=eye",
		"password=a hunter2 dbname=eye":                             "***",
		"password='hunter2 dbname=eye":                              "***",
		"password=a hunter2=b dbname=eye":                           "password=*** *** dbname=eye",
		"host=db options='-c x=hunter2' hunter":                     "***",
	} {
		c, err := load("database.url", dsn)
		require.NoError(t, err, dsn)
		require.Equal(t, want, shown(t, c, "database.url"), dsn)
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	c, err := load("database.url", "postgres://eye:hunter2@db/eye")
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		require.NotContains(t, fmt.Sprintf(verb, c), "hunter2", verb)
		require.NotContains(t, fmt.Sprintf(verb, c.Database.URL), "hunter2", verb)
		require.NotContains(t, fmt.Sprintf(verb, c), fmt.Sprintf("%x", "hunter2"), verb)
	}

	text, err := json.Marshal(c)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	require.Equal(t, "***", c.Database.URL.String())
	require.Empty(t, config.Secret("").String())
}

func FuzzRedact(f *testing.F) {
	f.Add("user", "/")
	f.Add("", "@h:1/?#,&= '\\")
	f.Fuzz(func(t *testing.T, before, after string) {
		// Where a text is certainly the password, no part of it may show.
		const password = "hunter2"
		if strings.ContainsAny(before, ":/?#@") {
			return
		}

		c, err := load("database.url", "postgres://"+before+":"+password+after+"@db/eye")
		require.NoError(t, err)
		require.NotContains(t, shown(t, c, "database.url"), password)
	})
}
