package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

func TestMigrateSaysWhatToGrant(t *testing.T) {
	t.Parallel()
	ctx, d := context.Background(), pgtest.NewEmpty(t)
	pool := d.Pool(t)
	plain, other := d.Name()+"_plain", d.Name()+"_other"
	run := func(statement string) {
		_, err := pool.Exec(ctx, statement)
		require.NoError(t, err)
	}
	run("revoke create on schema public from public") // the default from Postgres 15 on
	for _, role := range []string{plain, other} {
		run("create role " + role + " login")
		t.Cleanup(func() { run("drop owned by " + role + "; drop role " + role) })
	}

	err := postgres.Migrate(ctx, d.DSNAs(plain))
	require.ErrorContains(t, err, "the role "+plain+" may not create tables in the schema public of the database "+d.Name())
	remedy := `grant usage, create on schema public to "` + plain + `";`
	require.ErrorContains(t, err, remedy)

	run(remedy)
	require.NoError(t, postgres.Migrate(ctx, d.DSNAs(plain)))

	run("grant usage, create on schema public to " + other)
	require.ErrorContains(t, postgres.MigrateDown(ctx, d.DSNAs(other), func(postgres.MigrationStep) {}), "the tables belong to the role "+plain+": migrate as that role, not as "+other)
}
