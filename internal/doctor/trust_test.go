package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
)

// Operators paste the remedies, so they have to work.
func TestRemediesNameTheStatementAndWhoRunsIt(t *testing.T) {
	t.Parallel()
	t.Run("public of the superuser", func(t *testing.T) {
		t.Parallel()
		trust := doctor.Trust{Owner: "eye", Schema: "public", SchemaOwner: "postgres", Creates: true, Creators: []doctor.Creator{
			{Kind: "schema", Name: "public", Owner: "postgres", Privilege: "CREATE"},
		}}
		require.Equal(t, []string{
			"every role may create objects in the schema public, and the schema belongs to postgres: run as that role " +
				"`grant create on schema public to eye; revoke create on schema public from public`",
		}, trust.ListRemedies())
	})
	t.Run("roles with odd names", func(t *testing.T) {
		t.Parallel()
		trust := doctor.Trust{Owner: "eye", Schema: "public", SchemaOwner: "eye", Creates: true, Creators: []doctor.Creator{
			{Kind: "schema", Name: "public", Owner: "eye", Privilege: "CREATE"},
			{Kind: "database", Name: "my-eye", Owner: "dba", Privilege: "CREATE", Role: `Bob"s`},
			{Kind: "database", Name: "eye", Owner: "dba", Privilege: "TEMPORARY"},
		}}
		require.Equal(t, []string{
			"every role may create objects in the schema public, and the schema belongs to eye: run as that role `revoke create on schema public from public`",
			"the role Bob\"s may create schemas in the database my-eye, and the database belongs to dba: run as that role `revoke create on database \"my-eye\" from \"Bob\"\"s\"`",
			"every role may create temporary tables in the database eye, and the database belongs to dba: run as that role `revoke temporary on database eye from public`",
		}, trust.ListRemedies())
	})
	t.Run("an owner without the right", func(t *testing.T) {
		t.Parallel()
		trust := doctor.Trust{Owner: "eye", Schema: "public", SchemaOwner: "postgres"}
		require.Equal(t, []string{
			"eye owns the tables but may not create objects in the schema public, so no partitions can be created; the schema belongs to postgres: run as that role `grant create on schema public to eye`",
		}, trust.ListRemedies())
	})
	p := doctor.UntrustedObject{Kind: "operator", Name: "public.=(oid,regclass)", Owner: "analyst", Shadows: true}
	require.Equal(t, "the operator public.=(oid,regclass) belongs to analyst and may run in place of the object that the service uses: find out what it does, then drop it or move it to another schema", p.DescribeRemedy())
}
