package main_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// Each command that needs a database rejects one that cannot hold every text, at once.
func TestADatabaseOfAnotherEncoding(t *testing.T) {
	t.Parallel()
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		database := pgtest.NewEncoded(t, encoding)
		environ := []string{"THEEYE_DATABASE_URL=" + database.DSN(), "THEEYE_HTTP_LISTEN=127.0.0.1:0", "THEEYE_OPS_LISTEN=127.0.0.1:0"}
		for _, command := range [][]string{{"migrate", "up"}, {"serve"}, {"app", "create", "shop"}} {
			code, _, errOut := finish(t, environ, command...)
			require.Equal(t, 78, code, command)
			require.Contains(t, errOut, "the encoding of "+database.Name()+" is "+encoding, command)
			require.Contains(t, errOut, "create database NAME encoding 'UTF8'", command)
		}

		code, out, _ := finish(t, environ, "doctor")
		require.NotZero(t, code)
		require.Contains(t, out, "the encoding of the database is "+encoding+", not UTF8")
	}
}
