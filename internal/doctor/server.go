package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (f *facts) checkReachable() assessment {
	switch {
	case f.db == nil:
		return skipped("no database is given: set THEEYE_DATABASE_URL")
	case f.db.Err != nil:
		return failed(f.db.Err.Error())
	}

	return ok("it answers")
}

func (f *facts) checkVersion() assessment {
	const oldest, newest, major = 14, 18, 10_000
	return assessFact(f.db.Server, func(s Server) assessment {
		found := "PostgreSQL " + s.Version
		switch {
		case s.Number < oldest*major:
			return failed(fmt.Sprintf("%s; the oldest supported version is %d", found, oldest))
		case s.Number >= (newest+1)*major:
			return warning(fmt.Sprintf("%s is newer than %d, the newest version that this build supports", found, newest)).
				withAdvice("Watch the service closely, or upgrade to a newer release of The Eye.")
		}

		return ok(found)
	})
}

func (f *facts) checkEncoding() assessment {
	return assessFact(f.db.Server, func(s Server) assessment {
		switch {
		case s.Encoding != "UTF8":
			return failed("the encoding of the database is " + s.Encoding + ", not UTF8")
		case s.ClientEncoding != "UTF8":
			return failed("sessions begin with client_encoding = " + s.ClientEncoding + " although the service requests UTF8").
				withAdvice("Make the pooler in between pass client_encoding (PgBouncer: remove it from ignore_startup_parameters).")
		}

		return ok("UTF8")
	})
}

func (f *facts) checkWritable() assessment {
	return assessFact(f.db.Server, func(s Server) assessment {
		switch {
		case s.InRecovery:
			return failed("the server is a standby in recovery: it cannot store events")
		case s.ReadOnly:
			return failed("default_transaction_read_only is on for the role: it cannot store events")
		}

		return ok("it is a primary")
	})
}

func (f *facts) checkSchema() assessment {
	return assessFact(f.db.Schema, func(s Schema) assessment {
		switch {
		case s.Version < s.Needed:
			return failed(fmt.Sprintf("it is at %d, this build needs %d", s.Version, s.Needed))
		case s.Version > s.Needed:
			return ok(fmt.Sprintf("it is at %d; this build needs %d, and works on a newer one", s.Version, s.Needed))
		}

		return ok(fmt.Sprintf("it is current, at %d", s.Version))
	})
}

// checkSwitchOn returns the evaluation of a setting that must be on.
func checkSwitchOn(name string) func(*facts) assessment {
	return func(f *facts) assessment {
		return assessFact(f.db.Settings, func(s Settings) assessment {
			if s[name] == "off" {
				return failed(name + " is off")
			}

			return ok(name + " is " + s[name])
		})
	}
}

func (f *facts) checkSynchronousCommit() assessment {
	const name = "synchronous_commit"
	return assessFact(f.db.Settings, func(s Settings) assessment {
		if s[name] == "off" {
			return failed(name + " is off for the role of the service" + f.describeOverrides(name))
		}

		if s[name] == "local" && s["synchronous_standby_names"] != "" {
			return warning(name + " is local: commits do not wait for the standbys in synchronous_standby_names")
		}

		return assessFact(f.db.Overrides, func([]Override) assessment {
			if where := f.describeOverrides(name); where != "" {
				return warning(name + " is " + s[name] + " here, but off elsewhere" + where)
			}

			return ok(name + " is " + s[name])
		})
	})
}

// describeOverrides names the roles and databases for which a setting is off.
func (f *facts) describeOverrides(setting string) string {
	var places []string
	for _, o := range f.db.Overrides.Value {
		if o.Setting != setting || !slices.Contains([]string{"off", "false", "no", "0"}, strings.ToLower(o.Value)) {
			continue
		}

		var place []string
		if o.Role != "" {
			place = append(place, "role "+o.Role)
		}

		if o.Database != "" {
			place = append(place, "database "+o.Database)
		}

		places = append(places, strings.Join(place, " in "))
	}

	if len(places) == 0 {
		return ""
	}

	return " (set at " + joinNames(places) + ")"
}

func (f *facts) checkStandbys() assessment {
	return assessFact(f.db.Settings, func(s Settings) assessment {
		if names := s["synchronous_standby_names"]; names != "" {
			return ok("commits wait for " + names)
		}

		return ok("commits wait for no standby: a failover can lose the last commits")
	})
}

func (f *facts) checkConnections() assessment {
	return assessFact(f.db.Settings, func(s Settings) assessment {
		return assessFact(f.db.Connections, func(c Connections) assessment {
			allowed := s.readNumber("max_connections") - s.readNumber("superuser_reserved_connections") - s.readNumber("reserved_connections")
			limit := "max_connections without the reserved ones"
			if !c.Superuser && c.RoleLimit >= 0 && int64(c.RoleLimit) < allowed {
				allowed = int64(c.RoleLimit)
				limit = "the role's limit"
			}

			if !c.Superuser && c.DatabaseLimit >= 0 && int64(c.DatabaseLimit) < allowed {
				allowed = int64(c.DatabaseLimit)
				limit = "the database's limit"
			}

			if f.Pooled {
				return f.checkPooledConnections(c, allowed)
			}

			replicas, others := f.countReplicas(c)
			each := int64(f.WriteConnections + f.ReadConnections + f.ChangeConnections + f.WatchConnections)
			need := each * int64(replicas)
			found := fmt.Sprintf("replicas: %d, connections of each: %d, together: %d, other clients now: %d, allowed: %d (%s)", replicas, each, need, others, allowed, limit)
			switch {
			case need > allowed:
				return failed(found)
			case need+int64(others) > allowed:
				return warning(found)
			}

			return ok(found)
		})
	})
}

// checkPooledConnections assesses the connections in use. Their maximum is the pooler's.
func (f *facts) checkPooledConnections(c Connections, allowed int64) assessment {
	const most = 90
	used := int64(0)
	for _, b := range c.Backends {
		used += int64(b.Count)
	}

	found := fmt.Sprintf("a pooler is in between; %d of %d allowed connections are in use", used, allowed)
	if used*100 > allowed*most {
		return warning(found).withAdvice("Lower the pool size of the pooler, or raise max_connections.")
	}

	return ok(found)
}

// countReplicas returns the number of replicas, and the connections of other clients. The
// number is the given one, or the smallest that explains the open connections.
func (f *facts) countReplicas(c Connections) (replicas, others int) {
	open := map[string]int{}
	hosts := map[string]bool{}
	for _, b := range c.Backends {
		switch {
		case b.SameDatabase && (b.Application == "theeye write" || b.Application == "theeye read" || b.Application == "theeye change" || b.Application == "theeye watch"):
			open[b.Application] += b.Count
			hosts[b.Client] = true
		default:
			others += b.Count
		}
	}

	if f.Replicas > 0 {
		return f.Replicas, others
	}

	pools := map[string]int{
		"theeye write":  f.WriteConnections,
		"theeye read":   f.ReadConnections,
		"theeye change": f.ChangeConnections,
		"theeye watch":  f.WatchConnections,
	}
	replicas = max(1, len(hosts))
	for name, most := range pools {
		if most > 0 {
			replicas = max(replicas, (open[name]+most-1)/most)
		}
	}

	return replicas, others
}

func (f *facts) checkTimeouts() assessment {
	return assessFact(f.db.Settings, func(s Settings) assessment {
		var wrong []string
		for _, name := range []string{"idle_session_timeout", "transaction_timeout"} {
			if s.readNumber(name) > 0 {
				wrong = append(wrong, name+" is "+s.readDuration(name).String())
			}
		}

		if f.Pooled { // without a pooler the service sets these itself
			for name, least := range map[string]time.Duration{
				"statement_timeout":                   f.ReadTimeout,
				"lock_timeout":                        f.WriteTimeout,
				"idle_in_transaction_session_timeout": f.WriteTimeout,
			} {
				switch at := s.readDuration(name); {
				case at == 0 && name != "idle_in_transaction_session_timeout":
					wrong = append(wrong, name+" is not set, and the service cannot set it behind a pooler")
				case at > 0 && at < least:
					wrong = append(wrong, fmt.Sprintf("%s is %s, and the service needs %s", name, at, least))
				}
			}
		}

		if len(wrong) == 0 {
			return ok("no timeout cuts the service off")
		}

		slices.Sort(wrong)
		return warning(joinNames(wrong))
	})
}

func (f *facts) checkAutovacuum() assessment {
	return assessFact(f.db.Settings, func(s Settings) assessment {
		for _, name := range []string{"autovacuum", "track_counts"} {
			if s[name] == "off" {
				return failed(name + " is off")
			}
		}

		return assessFact(f.db.Tables, func(tables []Table) assessment {
			var off []string
			for _, t := range tables {
				for _, option := range t.Options {
					name, value, _ := strings.Cut(option, "=")
					if name == "autovacuum_enabled" && slices.Contains([]string{"off", "false", "no", "0"}, strings.ToLower(value)) {
						off = append(off, t.Name)
					}
				}
			}

			if len(off) > 0 {
				return failed("it is turned off for " + joinNames(off))
			}

			return ok("it is on, for every table")
		})
	})
}

func (f *facts) checkMemory() assessment {
	const buffers, log = 128 << 20, 1 << 30
	return assessFact(f.db.Settings, func(s Settings) assessment {
		found := fmt.Sprintf("shared_buffers is %s, max_wal_size is %s", formatBytes(s.readNumber("shared_buffers")), formatBytes(s.readNumber("max_wal_size")))
		if s.readNumber("shared_buffers") <= buffers || s.readNumber("max_wal_size") <= log {
			return warning(found)
		}

		return ok(found)
	})
}

func (f *facts) checkIOTiming() assessment {
	return assessFact(f.db.Settings, func(s Settings) assessment { return ok("track_io_timing is " + s["track_io_timing"]) })
}

// readNumber returns a setting as a number; 0 if the server does not know it.
func (s Settings) readNumber(name string) int64 {
	n, err := strconv.ParseInt(s[name], 10, 64)
	if err != nil {
		return 0
	}

	return n
}

func (s Settings) readDuration(name string) time.Duration {
	return time.Duration(s.readNumber(name)) * time.Millisecond
}
