package doctor

import "slices"

// checkPooler assesses a pooler between the service and the server.
func (f *facts) checkPooler() assessment {
	switch {
	case f.db == nil:
		return skipped("no database is given: set THEEYE_DATABASE_URL")
	case f.db.Err != nil:
		return skipped("the database cannot be reached")
	}

	return assessFact(f.db.Pooler, func(p Pooler) assessment {
		switch {
		case p.NoTransactions:
			return failed("PgBouncer is in statement mode, which has no transactions: " + p.ErrorMessage)
		case p.ErrorMessage != "":
			return failed("database.pooler is none, and a pooler rejects the startup parameters of the service's connections: " + p.ErrorMessage)
		case p.ParametersIgnored:
			return failed("database.pooler is none, and a pooler ignores the timeouts in the startup parameters of the service's connections (ignore_startup_parameters)")
		case f.Pooled:
			return ok("transactions work; database.pooler is transaction")
		}

		return ok("no pooler detected")
	})
}

// checkAdditions lists the objects that were added to the service's tables and can reject or
// change rows.
func (f *facts) checkAdditions() assessment {
	return assessFact(f.db.Schema, func(s Schema) assessment {
		return assessFact(f.db.Additions, func(there []Addition) assessment {
			var found []string
			for _, a := range there {
				if slices.Contains(s.Constraints, Name{a.Table, a.Name}) || slices.Contains(s.Indexes, Name{a.Table, a.Name}) {
					continue
				}

				found = append(found, a.Kind+" "+a.Name+" on "+a.Table)
			}

			switch {
			case len(found) > 0 && f.schemaAhead():
				return warning(joinNames(found)).withAdvice("The schema is newer than this build, which may not know them: run the doctor of the newer release.")
			case len(found) > 0:
				return warning(joinNames(found))
			}

			return ok("there is none")
		})
	})
}
