package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *facts) deadRows() verdict {
	const few, share = 10_000, 30
	return given(f.db.Tables, func(tables []Table) verdict {
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
			return warning(list(bloated))
		}
		return ok("no table has many")
	})
}

func (f *facts) hotUpdates() verdict {
	const few, least, fullest = 1000, 50, 90
	return given(f.db.Tables, func(tables []Table) verdict {
		at := slices.IndexFunc(tables, func(t Table) bool { return t.Name == "session" })
		if at < 0 {
			return skipped("there is no table session")
		}
		return given(f.db.Indexes, func(indexes []Index) verdict {
			session := tables[at]
			var wrong []string
			if fill := fillfactor(session.Options); fill > fullest {
				wrong = append(wrong, fmt.Sprintf("the fillfactor of session is %d", fill))
			}
			for _, i := range indexes {
				if i.Table == "session" && slices.ContainsFunc(i.Columns, changing) {
					wrong = append(wrong, i.Name+" holds "+list(i.Columns))
				}
			}
			share := fmt.Sprintf("%d of %d updates of session were HOT", session.HotUpdates, session.Updates)
			if session.Updates >= few && session.HotUpdates*100 < session.Updates*least {
				wrong = append(wrong, share)
			}
			if len(wrong) > 0 {
				return warning(list(wrong))
			}
			return ok(share)
		})
	})
}

// fillfactor reads a table's storage parameter; 100 is Postgres' default.
func fillfactor(options []string) int {
	for _, option := range options {
		if text, found := strings.CutPrefix(option, "fillfactor="); found {
			if n, err := strconv.Atoi(text); err == nil {
				return n
			}
		}
	}
	return 100
}

// changing tells the columns of session that change with every event.
func changing(column string) bool {
	return slices.Contains([]string{"last_sequence", "event_count", "last_event_at", "application_ids"}, column)
}

func (f *facts) transactionIDs() verdict {
	const dangerous = 1_600_000_000
	return given(f.db.Settings, func(s Settings) verdict {
		return given(f.db.Ages, func(a Ages) verdict {
			most, mostMulti := s.number("autovacuum_freeze_max_age"), s.number("autovacuum_multixact_freeze_max_age")
			found := fmt.Sprintf("the oldest are %d transactions old (vacuum is forced at %d) and %d multixacts (%d)", a.Database, most, a.DatabaseMulti, mostMulti)
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

func (f *facts) transactions() verdict {
	return given(f.db.Transactions, func(t Transactions) verdict {
		var long []string
		for _, open := range t.Open {
			if open.Age < f.LongTransaction {
				continue
			}
			who := fmt.Sprintf("pid %d", open.PID)
			if open.PID == 0 {
				who = "prepared " + strconv.Quote(open.State)
			} else if open.State != "" {
				who += " is " + open.State
			}
			who += " for " + span(open.Age) + ", role " + open.User
			if open.Application != "" {
				who += ", " + strconv.Quote(open.Application)
			}
			if open.Client != "" {
				who += ", from " + open.Client
			}
			long = append(long, who)
		}
		hidden := ""
		if t.Hidden > 0 {
			hidden = fmt.Sprintf("; the role may not look into %d sessions (grant pg_read_all_stats)", t.Hidden)
		}
		if len(long) > 0 {
			return warning(list(long) + hidden)
		}
		return ok("none is open for long" + hidden)
	})
}

func (f *facts) waits() verdict {
	return given(f.db.Waits, func(waits []Wait) verdict {
		var long []string
		for _, w := range waits {
			if w.Waiting < f.LongWait {
				continue
			}
			text := fmt.Sprintf("pid %d waits for %s", w.PID, w.Mode)
			if w.Relation != "" {
				text += " on " + w.Relation
			}
			text += " since " + span(w.Waiting)
			if len(w.BlockedBy) > 0 {
				pids := make([]string, len(w.BlockedBy))
				for n, pid := range w.BlockedBy {
					pids[n] = strconv.Itoa(pid)
				}
				text += ", blocked by pid " + list(pids)
			}
			long = append(long, text)
		}
		if len(long) > 0 {
			return warning(list(long))
		}
		return ok("none waits")
	})
}

func (f *facts) slots() verdict {
	const much = 1 << 30
	return given(f.db.Slots, func(slots []Slot) verdict {
		var idle []string
		for _, s := range slots {
			if !s.Active && s.Retained > much {
				idle = append(idle, s.Name+" keeps "+size(s.Retained))
			}
		}
		if len(idle) > 0 {
			return warning(list(idle))
		}
		return ok(fmt.Sprintf("%d slots; none keeps much", len(slots)))
	})
}

func (f *facts) sizes() verdict {
	const much, full, most = 80, 95, 5
	return given(f.db.Sizes, func(s Sizes) verdict {
		found := "the database has " + size(s.Database)
		if f.Capacity > 0 {
			found += fmt.Sprintf(" of %s, %d %%", size(f.Capacity), share(s.Database, f.Capacity))
		}
		tables := make([]string, 0, most)
		for _, t := range s.Tables[:min(most, len(s.Tables))] {
			tables = append(tables, t.Name+" "+size(t.Bytes))
		}
		if len(tables) > 0 {
			found += "; " + list(tables)
		}
		switch {
		case f.Capacity > 0 && share(s.Database, f.Capacity) >= full:
			return failed(found)
		case f.Capacity > 0 && share(s.Database, f.Capacity) >= much:
			return warning(found)
		}
		return ok(found)
	})
}

// share is a part in percent of the whole.
func share(part, whole int64) int64 { return int64(float64(part) / float64(whole) * 100) }

func (f *facts) privileges() verdict {
	return given(f.db.Privileges, func(p Privileges) verdict {
		var wrong []string
		if len(p.Missing) > 0 {
			wrong = append(wrong, "may not "+list(p.Missing))
		}
		if len(p.Foreign) > 0 && !p.Functions {
			wrong = append(wrong, "does not own "+list(p.Foreign)+", and so cannot make or drop partitions")
		}
		if !p.Create && !p.Functions {
			wrong = append(wrong, "may not make tables in the schema "+p.Schema)
		}
		if len(wrong) > 0 {
			return failed("the role " + p.Role + " " + strings.Join(wrong, "; it "))
		}
		if len(p.Foreign) > 0 {
			return ok("the role " + p.Role + " may do all that it has to; the schema's functions make and drop partitions for it")
		}
		return ok("the role " + p.Role + " may do all that it has to")
	})
}

func (f *facts) superuser() verdict {
	return given(f.db.Privileges, func(p Privileges) verdict {
		if p.Superuser {
			return warning("the role " + p.Role + " is a superuser")
		}
		return ok("the role " + p.Role + " is none")
	})
}
