package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *facts) checkDeadRows() assessment {
	const few, share = 10_000, 30
	return assessFact(f.db.Tables, func(tables []Table) assessment {
		var bloated []string
		for _, t := range tables {
			if t.Dead <= few || t.Dead*100 < (t.Live+t.Dead)*share {
				continue
			}

			vacuumed := "never vacuumed"
			if !t.LastVacuum.IsZero() {
				vacuumed = "last vacuumed " + t.LastVacuum.UTC().Format(time.RFC3339)
			}

			bloated = append(bloated, fmt.Sprintf("%s has %d dead rows beside %d live ones, %s", t.Name, t.Dead, t.Live, vacuumed))
		}

		if len(bloated) > 0 {
			return warning(joinNames(bloated))
		}

		return ok("no table has many dead rows")
	})
}

func (f *facts) checkHotUpdates() assessment {
	const few, least, fullest = 1000, 50, 90
	return assessFact(f.db.Tables, func(tables []Table) assessment {
		at := slices.IndexFunc(tables, func(t Table) bool { return t.Name == "session" })
		if at < 0 {
			return skipped("there is no table session")
		}

		return assessFact(f.db.Indexes, func(indexes []Index) assessment {
			session := tables[at]
			var wrong []string
			if fill := readFillfactor(session.Options); fill > fullest {
				wrong = append(wrong, fmt.Sprintf("the fillfactor of session is %d", fill))
			}

			for _, i := range indexes {
				if i.Table == "session" && slices.ContainsFunc(i.Columns, changesWithEvents) {
					wrong = append(wrong, i.Name+" holds "+joinNames(i.Columns))
				}
			}

			share := fmt.Sprintf("%d of %d updates of session were HOT", session.HotUpdates, session.Updates)
			if session.Updates >= few && session.HotUpdates*100 < session.Updates*least {
				wrong = append(wrong, share)
			}

			if len(wrong) > 0 {
				return warning(joinNames(wrong))
			}

			return ok(share)
		})
	})
}

// readFillfactor returns a table's fillfactor; 100 is Postgres' default.
func readFillfactor(options []string) int {
	for _, option := range options {
		if text, found := strings.CutPrefix(option, "fillfactor="); found {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}

	return 100
}

// changesWithEvents reports whether a column of session changes with every event.
func changesWithEvents(column string) bool {
	return slices.Contains([]string{"last_sequence", "event_count", "last_event_at", "application_ids"}, column)
}

func (f *facts) checkTransactionIDs() assessment {
	const dangerous = 1_600_000_000
	return assessFact(f.db.Settings, func(s Settings) assessment {
		return assessFact(f.db.Ages, func(a Ages) assessment {
			most := s.readNumber("autovacuum_freeze_max_age")
			mostMulti := s.readNumber("autovacuum_multixact_freeze_max_age")
			found := fmt.Sprintf("the oldest rows are %d transactions old (vacuum is forced at %d) and %d multixacts (%d)", a.Database, most, a.DatabaseMulti, mostMulti)
			if a.OldestTable != "" {
				found += fmt.Sprintf("; the oldest table is %s, at %d", a.OldestTable, a.OldestTableAge)
			}

			switch {
			case a.Database > dangerous || a.DatabaseMulti > dangerous:
				return failed(found)
			case a.Database > most || a.DatabaseMulti > mostMulti:
				return warning(found)
			}

			return ok(found)
		})
	})
}

func (f *facts) checkTransactions() assessment {
	return assessFact(f.db.Transactions, func(t Transactions) assessment {
		var long []string
		for _, open := range t.Open {
			if open.Age < f.LongTransaction {
				continue
			}

			text := fmt.Sprintf("pid %d", open.PID)
			if open.PID == 0 {
				text = "prepared " + strconv.Quote(open.State)
			} else if open.State != "" {
				text += " is " + open.State
			}

			text += " for " + formatDuration(open.Age) + ", role " + open.User
			if open.Application != "" {
				text += ", " + strconv.Quote(open.Application)
			}

			if open.Client != "" {
				text += ", from " + open.Client
			}

			long = append(long, text)
		}

		hidden := ""
		if t.Hidden > 0 {
			hidden = fmt.Sprintf("; the role may not see %d sessions (grant pg_read_all_stats)", t.Hidden)
		}

		if len(long) > 0 {
			return warning(joinNames(long) + hidden)
		}

		return ok("none is open for long" + hidden)
	})
}

func (f *facts) checkLockWaits() assessment {
	return assessFact(f.db.Waits, func(waits []Wait) assessment {
		var long []string
		for _, w := range waits {
			if w.Waiting < f.LongWait {
				continue
			}

			text := fmt.Sprintf("pid %d waits for %s", w.PID, w.Mode)
			if w.Relation != "" {
				text += " on " + w.Relation
			}

			text += ", for " + formatDuration(w.Waiting) + " so far"
			if len(w.BlockedBy) > 0 {
				pids := make([]string, len(w.BlockedBy))
				for n, pid := range w.BlockedBy {
					pids[n] = strconv.Itoa(pid)
				}

				text += ", blocked by pid " + joinNames(pids)
			}

			long = append(long, text)
		}

		if len(long) > 0 {
			return warning(joinNames(long))
		}

		return ok("no session waits")
	})
}

func (f *facts) checkReplicationSlots() assessment {
	const much = 1 << 30
	return assessFact(f.db.Slots, func(slots []Slot) assessment {
		var idle []string
		for _, s := range slots {
			if !s.Active && s.Retained > much {
				idle = append(idle, s.Name+" retains "+formatBytes(s.Retained))
			}
		}

		if len(idle) > 0 {
			return warning(joinNames(idle))
		}

		return ok(fmt.Sprintf("%d slots; none retains much", len(slots)))
	})
}

func (f *facts) checkSizes() assessment {
	const much, full, most = 80, 95, 5
	return assessFact(f.db.Sizes, func(s Sizes) assessment {
		found := "the database has " + formatBytes(s.Database)
		if f.Capacity > 0 {
			found += fmt.Sprintf(" of %s, %d %%", formatBytes(f.Capacity), percentOf(s.Database, f.Capacity))
		}

		tables := make([]string, 0, most)
		for _, t := range s.Tables[:min(most, len(s.Tables))] {
			tables = append(tables, t.Name+" "+formatBytes(t.Bytes))
		}

		if len(tables) > 0 {
			found += "; " + joinNames(tables)
		}

		switch {
		case f.Capacity > 0 && percentOf(s.Database, f.Capacity) >= full:
			return failed(found)
		case f.Capacity > 0 && percentOf(s.Database, f.Capacity) >= much:
			return warning(found)
		}

		return ok(found)
	})
}

// percentOf returns a part in percent of the whole.
func percentOf(part, whole int64) int64 { return int64(float64(part) / float64(whole) * 100) }

func (f *facts) checkPrivileges() assessment {
	return assessFact(f.db.Privileges, func(p Privileges) assessment {
		var wrong []string
		if len(p.Missing) > 0 {
			wrong = append(wrong, "may not "+joinNames(p.Missing))
		}

		if len(p.Foreign) > 0 && !p.Functions {
			wrong = append(wrong, "does not own "+joinNames(p.Foreign)+", and so cannot make or drop partitions")
		}

		if !p.Create && !p.Functions {
			wrong = append(wrong, "may not create tables in the schema "+p.Schema)
		}

		if len(wrong) > 0 {
			return failed("the role " + p.Role + " " + strings.Join(wrong, "; it "))
		}

		if len(p.Foreign) > 0 {
			return ok("the role " + p.Role + " has all required privileges; the schema's functions create and drop partitions for it")
		}

		return ok("the role " + p.Role + " has all required privileges")
	})
}

func (f *facts) checkSuperuser() assessment {
	return assessFact(f.db.Privileges, func(p Privileges) assessment {
		if p.Superuser {
			return warning("the role " + p.Role + " is a superuser")
		}

		return ok("the role " + p.Role + " is not a superuser")
	})
}
