package main_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// Every step of migrate rejects a database with planted functions with the same exit code.
func TestMigrateRejectsPlantedFunctions(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	pool, other := database.Pool(t), database.Name()+"_x"
	t.Cleanup(func() {
		_, err := pool.Exec(context.Background(), "drop owned by "+other+"; drop role "+other)
		require.NoError(t, err)
	})
	_, err := pool.Exec(t.Context(), "create role "+other+"; create function public.quote_ident(name) returns text language sql as 'select $1::text'; alter function public.quote_ident(name) owner to "+other)
	require.NoError(t, err)

	for _, command := range [][]string{{"migrate", "up"}, {"migrate", "roles", "--service", database.Name() + "_s"}} {
		code, out, errOut := finish(t, []string{"THEEYE_DATABASE_URL=" + database.DSN()}, command...)
		require.Equal(t, 78, code, "%v: %s%s", command, out, errOut)
		require.Contains(t, errOut, "theeye: ")
		require.Contains(t, errOut, "public.quote_ident(name) belongs to "+other)
	}
}

func TestMigrateRoles(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	owner := []string{"THEEYE_DATABASE_URL=" + database.DSN()}
	service, analyst := database.Name()+"_s", database.Name()+"_a"
	t.Cleanup(func() {
		for _, role := range []string{service, analyst} {
			_, err := database.Pool(t).Exec(context.Background(), "drop owned by "+role+"; drop role "+role)
			require.NoError(t, err)
		}
	})
	for range 2 {
		code, out, errOut := finish(t, owner, "migrate", "roles", "--service", service, "--analyst", analyst)
		require.Zero(t, code, errOut)
		require.Equal(t, "the roles exist and have their privileges\n", out)
	}

	code, _, errOut := finish(t, []string{"THEEYE_DATABASE_URL=" + database.DSNAs(service)}, "app", "create", "shop")
	require.Zero(t, code, errOut)
	for _, environ := range [][]string{{"THEEYE_DATABASE_URL=" + database.DSNAs(analyst)}, {"THEEYE_DATABASE_URL=" + database.DSNAs(service)}} {
		code, out, _ := finish(t, environ, "migrate", "roles", "--service", service)
		require.NotZero(t, code, out)
	}

	for _, arguments := range [][]string{{}, {"--service", "one", "--analyst", "one"}} {
		code, _, errOut := finish(t, owner, append([]string{"migrate", "roles"}, arguments...)...)
		require.Equal(t, 64, code, errOut)
	}
}
