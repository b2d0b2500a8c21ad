package doctor

import "slices"

// pooler judges what may stand between the service and the server.
func (f *facts) pooler() verdict {
	switch {
	case f.db == nil:
		return skipped("no database is named: set THEEYE_DATABASE_URL")
	case f.db.Err != nil:
		return skipped("the database cannot be reached")
	}
	return given(f.db.Pooler, func(p Pooler) verdict {
		switch {
		case p.NoTransactions:
			return failed("PgBouncer is in statement mode, in which there are no transactions: " + p.Refusal)
		case p.Refusal != "":
			return failed("database.pooler is none, and a pooler refuses what the service begins its connections with: " + p.Refusal)
		case p.ParametersIgnored:
			return failed("database.pooler is none, and a pooler ignores the timeouts that the service begins its connections with (ignore_startup_parameters)")
		case f.Pooled:
			return ok("transactions work; database.pooler is transaction")
		}
		return ok("none is noticed")
	})
}

// additions names what others added to our tables that can refuse or change rows.
func (f *facts) additions() verdict {
	return given(f.db.Schema, func(s Schema) verdict {
		return given(f.db.Additions, func(there []Addition) verdict {
			var found []string
			for _, a := range there {
				if slices.Contains(s.Constraints, Name{a.Table, a.Name}) || slices.Contains(s.Indexes, Name{a.Table, a.Name}) {
					continue
				}
				found = append(found, a.Kind+" "+a.Name+" on "+a.Table)
			}
			switch {
			case len(found) > 0 && f.ahead():
				return warning(list(found)).but("The schema is newer than this build, which may not know them: run the doctor of the newer release.")
			case len(found) > 0:
				return warning(list(found))
			}
			return ok("there is none")
		})
	})
}
