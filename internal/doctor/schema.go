package doctor

import (
	"fmt"
	"slices"
	"time"
)

func (f *facts) checkIndexes() assessment {
	return assessFact(f.db.Schema, func(s Schema) assessment {
		return assessFact(f.db.Indexes, func(there []Index) assessment {
			return f.checkPromised("indexes", s.Indexes, missingIndexes(s.Indexes, there, f.db.Tables.Value))
		})
	})
}

// missingIndexes names the promised indexes that are missing or not valid, on the
// tables and on the partitions. Indexes of partitions have their own names.
func missingIndexes(promised []Name, there []Index, tables []Table) (wrong []string) {
	for _, p := range promised {
		at := slices.IndexFunc(there, func(i Index) bool { return i.Table == p.Table && i.Name == p.Name })
		if at < 0 {
			wrong = append(wrong, p.Name+" on "+p.Table+" is missing")
			continue
		}

		if !there[at].Valid {
			wrong = append(wrong, p.Name+" on "+p.Table+" is not valid")
		}

		for _, t := range tables {
			if t.Parent != p.Table {
				continue
			}

			part := slices.IndexFunc(there, func(i Index) bool { return i.Table == t.Name && i.Parent == p.Name })
			switch {
			case part < 0:
				wrong = append(wrong, p.Name+" is missing on "+t.Name)
			case !there[part].Valid:
				wrong = append(wrong, there[part].Name+" on "+t.Name+" is not valid")
			}
		}
	}

	return wrong
}

func (f *facts) checkConstraints() assessment {
	return assessFact(f.db.Schema, func(s Schema) assessment {
		return assessFact(f.db.Constraints, func(there []Constraint) assessment {
			return f.checkPromised("constraints", s.Constraints, missingConstraints(s, there, f.db.Tables.Value))
		})
	})
}

// missingConstraints does the same for constraints. A constraint that is based on an index
// has another name on a partition, where missingIndexes finds its index.
func missingConstraints(s Schema, there []Constraint, tables []Table) (wrong []string) {
	look := func(table, name string) {
		at := slices.IndexFunc(there, func(c Constraint) bool { return c.Table == table && c.Name == name })
		switch {
		case at < 0:
			wrong = append(wrong, name+" on "+table+" is missing")
		case !there[at].Valid:
			wrong = append(wrong, name+" on "+table+" is not valid")
		}
	}
	for _, p := range s.Constraints {
		look(p.Table, p.Name)
		for _, t := range tables {
			if t.Parent == p.Table && !slices.Contains(s.Indexes, p) {
				look(t.Name, p.Name)
			}
		}
	}

	return wrong
}

func (f *facts) checkPromised(kind string, promised []Name, wrong []string) assessment {
	switch {
	case len(wrong) > 0 && f.schemaAhead():
		return warning(joinNames(wrong)).withAdvice("The schema is newer than this build, which may no longer need it: run the doctor of the newer release.")
	case len(wrong) > 0:
		return failed(joinNames(wrong))
	}

	return ok(fmt.Sprintf("all %d %s exist and are valid", len(promised), kind))
}

func (f *facts) checkInvalidIndexes() assessment {
	return assessFact(f.db.Indexes, func(there []Index) assessment {
		var left []string
		for _, i := range there {
			promised := slices.Contains(f.db.Schema.Value.Indexes, Name{i.Table, i.Name}) || i.Parent != ""
			if !i.Valid && !promised {
				left = append(left, i.Name+" on "+i.Table)
			}
		}

		if len(left) > 0 {
			return warning(joinNames(left))
		}

		return ok("there are none")
	})
}

// monthStart returns the first moment of the month that is later months after the month of
// at, in UTC.
func monthStart(at time.Time, later int) time.Time {
	return time.Date(at.UTC().Year(), at.UTC().Month()+time.Month(later), 1, 0, 0, 0, 0, time.UTC)
}

func (f *facts) checkPartitions() assessment {
	return assessFact(f.db.Server, func(s Server) assessment {
		return assessFact(f.db.Partitions, func(there []Partition) assessment {
			if len(there) == 0 {
				return warning("there are none yet").withAdvice("The first start of the service creates them.")
			}

			var urgent, later []string
			for _, table := range []string{"event", "rejection"} {
				for _, m := range missingMonths(table, there, s.Now) {
					name := fmt.Sprintf("%s of %s", table, monthStart(s.Now, m).Format("2006-01"))
					if m <= 1 {
						urgent = append(urgent, name)
					} else {
						later = append(later, name)
					}
				}
			}

			switch {
			case len(urgent) > 0:
				return failed("missing: " + joinNames(append(urgent, later...)))
			case len(later) > 0:
				return warning("missing: " + joinNames(later))
			}

			return ok(fmt.Sprintf("%d partitions, including this month's and the next two", len(there)))
		})
	})
}

// missingMonths returns the months without a partition, counted from the month of now, up
// to the last month with a partition, and at least up to the second month from now.
func missingMonths(table string, there []Partition, now time.Time) (missing []int) {
	const ahead, horizon = 2, 24
	covered := func(m int) bool {
		return slices.ContainsFunc(there, func(p Partition) bool {
			return p.Table == table && !p.Default && !p.Detaching && !p.From.After(monthStart(now, m)) && !p.To.Before(monthStart(now, m+1))
		})
	}
	last := ahead
	for m := ahead + 1; m <= horizon; m++ {
		if covered(m) {
			last = m
		}
	}

	for m := 0; m <= last; m++ {
		if !covered(m) {
			missing = append(missing, m)
		}
	}

	return missing
}

func (f *facts) checkDetached() assessment {
	return assessFact(f.db.Partitions, func(there []Partition) assessment {
		return assessFact(f.db.Detached, func(left []Detached) assessment {
			var found []string
			for _, p := range there {
				if p.Detaching {
					found = append(found, p.Name+" is half detached")
				}
			}

			for _, t := range left {
				if t.Marked {
					found = append(found, t.Name+" is detached but not dropped")
				}
			}

			if len(found) > 0 {
				return warning(joinNames(found))
			}

			return ok("there are none")
		})
	})
}

func (f *facts) checkUnattached() assessment {
	return assessFact(f.db.Detached, func(left []Detached) assessment {
		var found []string
		for _, t := range left {
			switch {
			case t.Marked:
			case t.Month:
				found = append(found, t.Name+" has the name of a partition of "+t.Table+" but is not one; the partition cannot be created, so events of its month cannot be stored")
			default:
				found = append(found, t.Name+" looks like a partition that retention set aside, but this database has no record of it")
			}
		}

		if len(found) > 0 {
			return warning(joinNames(found))
		}

		return ok("there are none")
	})
}

func (f *facts) checkForeignPartitions() assessment {
	return assessFact(f.db.Partitions, func(there []Partition) assessment {
		var defaults, others []string
		for _, p := range there {
			switch {
			case p.Default:
				defaults = append(defaults, p.Name+" is a default partition")
			case !p.Month:
				others = append(others, p.Name+" was not created by the service")
			}
		}

		switch {
		case len(defaults) > 0:
			return failed(joinNames(append(defaults, others...)))
		case len(others) > 0:
			return warning(joinNames(others))
		}

		return ok("there are none")
	})
}
