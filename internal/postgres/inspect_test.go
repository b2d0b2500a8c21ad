package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/postgres"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// The doctor expects exactly the objects that the migrations create.
func TestThePromisedSchemaIsThatOfTheMigrations(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	inspector, err := postgres.NewInspector(t.Context(), postgres.Config{URL: database.DSN(), ConnectTimeout: 3 * time.Second}, time.Now)
	require.NoError(t, err)
	t.Cleanup(inspector.Close)
	found := inspector.InspectDatabase(t.Context())
	require.NoError(t, found.Err)
	schema := found.Schema.Value
	require.Equal(t, schema.Needed, schema.Version)

	rows, err := database.Pool(t).Query(t.Context(), `
		select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname not like 'schema\_%'`)
	require.NoError(t, err)
	var tables, named []string
	for rows.Next() {
		var name string
		require.NoError(t, rows.Scan(&name))
		tables = append(tables, name)
	}

	require.NoError(t, rows.Err())
	for _, table := range found.Tables.Value {
		named = append(named, table.Name)
	}

	require.ElementsMatch(t, tables, named, "add a new table to tableNames")

	var indexes, constraints []doctor.Name
	for _, index := range found.Indexes.Value {
		indexes = append(indexes, doctor.Name{Table: index.Table, Name: index.Name})
	}

	for _, constraint := range found.Constraints.Value {
		constraints = append(constraints, doctor.Name{Table: constraint.Table, Name: constraint.Name})
	}

	require.ElementsMatch(t, indexes, schema.Indexes, "add a new index to expectedIndexes")
	require.ElementsMatch(t, constraints, schema.Constraints, "add a new constraint to expectedConstraints")
}
