package doctor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/doctor"
	"github.com/the-eye-events/the-eye/internal/testing/pgtest"
)

// A pooler under which the service cannot work is one failure with a remedy, not two dozen
// warnings, and not nothing.
func TestAPoolerInTheWrongMode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode   pgtest.BouncerMode
		pooled bool
		result doctor.Result
		says   string
	}{
		"startup parameters refused": {pgtest.BouncerRejectsParameters, false, doctor.Failed, "database.pooler is none, and a pooler rejects"},
		"startup parameters ignored": {pgtest.BouncerIgnoresParameters, false, doctor.Failed, "ignores the timeouts"},
		"as it has to be":            {pgtest.BouncerRejectsParameters, true, doctor.OK, "transactions work"},
		"statement mode":             {pgtest.BouncerInStatementMode, true, doctor.Failed, "PgBouncer is in statement mode"},
		"statement mode, not given":  {pgtest.BouncerInStatementMode, false, doctor.Failed, "PgBouncer is in statement mode"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, pgtest.New(t))
			p.url, p.config.Pooled = p.BouncerDSN(t, c.mode), c.pooled
			r := p.examine(t)
			requireFound(t, r, "database.pooler", c.result, c.says)
			if c.mode == pgtest.BouncerInStatementMode {
				require.Equal(t, 1, r.Summary.Failed, "%+v", r)
				require.Zero(t, r.Summary.Warnings, "%+v", r)
				requireFound(t, r, "database.version", doctor.Skipped, "see database.pooler")
			} else {
				requireFound(t, r, "database.version", doctor.OK, "PostgreSQL")
			}
		})
	}
}

// Objects that were added to the service's tables and can reject rows are reported.
func TestAdditionsToOurTables(t *testing.T) {
	t.Parallel()
	next := partition("event", 1)
	for name, c := range map[string]struct {
		add  []string
		says string
	}{
		"trigger": {
			[]string{"create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end'", "create trigger audit_all before insert on event for each row execute function no()"},
			"trigger audit_all on event",
		},
		"trigger of a partition": {
			[]string{"create function no() returns trigger language plpgsql as 'begin raise exception ''no''; end'", "create trigger mine before insert on " + next + " for each row execute function no()"},
			"trigger mine on " + next,
		},
		"constraint":                {[]string{"alter table event add constraint no_tests check (name <> 'test')"}, "constraint no_tests on event"},
		"constraint of a partition": {[]string{"alter table " + next + " add constraint no_tests check (name <> 'test')"}, "constraint no_tests on " + next},
		"unique index":              {[]string{"create unique index one_each on session (last_event_at)"}, "unique index one_each on session"},
		"rule":                      {[]string{"create rule quietly as on insert to rejection do instead nothing"}, "rule quietly on rejection"},
		"policy":                    {[]string{"create policy mine on event using (true)"}, "row security policy mine on event"},
		"foreign key to it":         {[]string{"create table note (session_id uuid references session)"}, "foreign key of note note_session_id_fkey on session"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t, pgtest.New(t))
			requireFound(t, p.examine(t), "schema.additions", doctor.OK, "there is none")
			p.exec(t, c.add...)
			r := p.examine(t)
			requireFound(t, r, "schema.additions", doctor.Warning, c.says)
			require.NotContains(t, finding(t, r, "schema.additions").Found, ",", "it alone")
		})
	}
}
