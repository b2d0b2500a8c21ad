package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// Whoever reads a remedy pastes it.
func TestRemediesNameTheStatementAndWhoRunsIt(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]doctor.Creator{
		"everybody may create in the schema public, and the schema belongs to postgres: run as that role `revoke create on schema public from public`":                          {Kind: "schema", Name: "public", Owner: "postgres", Privilege: "CREATE"},
		"the role Bob\"s may create schemas in the database my-eye, and the database belongs to dba: run as that role `revoke create on database \"my-eye\" from \"Bob\"\"s\"`": {Kind: "database", Name: "my-eye", Owner: "dba", Privilege: "CREATE", Role: `Bob"s`},
		"everybody may make temporary tables in the database eye, and the database belongs to dba: run as that role `revoke temporary on database eye from public`":             {Kind: "database", Name: "eye", Owner: "dba", Privilege: "TEMPORARY"},
	} {
		require.Equal(t, text, c.Remedy())
	}
	p := doctor.Planted{Kind: "operator", Name: "public.=(oid,regclass)", Owner: "analyst", Shadows: true}
	require.Equal(t, "the operator public.=(oid,regclass) belongs to analyst and can be run in the place of what the service means: look at what it does, then drop it or move it to another schema", p.Remedy())
}
