package doctor

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// Inspector collects the facts of the database. The postgres package implements it.
// InspectDatabase changes nothing and is bounded in time; a fact that cannot be read holds
// an error.
type Inspector interface {
	InspectDatabase(ctx context.Context) Database
}

// Prober calls the service from outside. The probe package implements it. ProbeService
// changes nothing and is bounded in time.
type Prober interface {
	ProbeService(ctx context.Context) ServiceFacts
}

// Config holds the settings that the facts are compared with.
type Config struct {
	// Version is the version of this build.
	Version string
	// WriteConnections, ReadConnections, ChangeConnections and WatchConnections are the
	// connections of one replica.
	WriteConnections  int
	ReadConnections   int
	ChangeConnections int
	WatchConnections  int
	// Replicas is the number of replicas; 0 counts the connected ones.
	Replicas int
	// Pooled means that a pooler in transaction mode is in between.
	Pooled bool
	// WriteTimeout and ReadTimeout bound the service's statements.
	WriteTimeout time.Duration
	ReadTimeout  time.Duration
	// MaxAhead is how far ahead of the service's clock a timestamp may be.
	MaxAhead time.Duration
	// TrustedProxies counts the networks in http.trusted_proxies.
	TrustedProxies int
	// Capacity is the size in bytes that the database may grow to; 0 means unknown.
	Capacity int64
	// LongTransaction is the age from which a transaction is too long; zero means 5 minutes.
	LongTransaction time.Duration
	// LongWait is the time from which a wait for a lock is too long; zero means a second.
	LongWait time.Duration
}

// Deps are the sources of facts. Checks of a nil source are skipped.
type Deps struct {
	Database Inspector
	Service  Prober
}

// facts holds all facts, and the settings that they are compared with.
type facts struct {
	Config

	db      *Database
	service ServiceFacts
}

// Examine collects the facts and assesses them. The report has a finding for every check.
func Examine(ctx context.Context, config Config, deps Deps) Report {
	f := facts{Config: config}
	if f.LongTransaction <= 0 {
		f.LongTransaction = 5 * time.Minute
	}

	if f.LongWait <= 0 {
		f.LongWait = time.Second
	}

	if deps.Database != nil {
		db := deps.Database.InspectDatabase(ctx)
		f.db = &db
	}

	if deps.Service != nil {
		f.service = deps.Service.ProbeService(ctx)
	}

	return f.buildReport()
}

func (f *facts) buildReport() Report {
	var r Report
	for _, c := range allChecks() {
		v, can := f.checkRequirement(c.needs)
		if can {
			v = c.evaluate(f)
		}

		finding := Finding{Check: c.name, Result: v.result, Found: sanitizeText(v.found)}
		finding.Area, _, _ = strings.Cut(c.name, ".")
		if v.result == Warning || v.result == Failed {
			if finding.Advice = sanitizeText(v.advice); finding.Advice == "" {
				finding.Advice = c.remedy
			}
		}

		r.Findings = append(r.Findings, finding)
		r.Summary.countResult(v.result)
	}

	r.Summary.Reached = f.anyAnswered()
	return r
}

func (s *Summary) countResult(result Result) {
	switch result {
	case OK:
		s.OK++
	case Warning:
		s.Warnings++
	case Failed:
		s.Failed++
	case Skipped:
		s.Skipped++
	}
}

// anyAnswered reports whether the database or the service answered. An untrusted certificate
// counts as an answer.
func (f *facts) anyAnswered() bool {
	public := f.service.Public
	ops := f.service.Ops
	return f.db != nil && f.db.Err == nil || public != nil && (public.Err == nil || public.Untrusted) || ops != nil && ops.Err == nil
}

// checkRequirement reports whether a check can run; if not, the assessment says why.
func (f *facts) checkRequirement(needs requirement) (assessment, bool) {
	public := f.service.Public
	ops := f.service.Ops
	switch needs {
	case needsDatabase, needsSchema:
		switch {
		case f.db == nil:
			return skipped("no database is given: set THEEYE_DATABASE_URL"), false
		case f.db.Err != nil:
			return skipped("the database cannot be reached"), false
		case f.db.Pooler.Value.NoTransactions:
			return skipped("the database cannot be examined without transactions: see database.pooler"), false
		case needs == needsSchema && f.schemaBehind():
			return skipped("the schema is behind: see database.schema"), false
		}
	case needsService:
		switch {
		case public == nil:
			return skipped("no service is given: give --url, or set THEEYE_URL"), false
		case public.Err != nil:
			return skipped("the service does not answer: see service.answers"), false
		}
	case needsOps:
		switch {
		case ops == nil:
			return skipped("no ops port is given: give --ops-url, or set THEEYE_OPS_URL"), false
		case ops.Err != nil:
			return skipped("the ops port does not answer: see ops.live"), false
		}
	case needsNothing:
	}

	return assessment{}, true
}

func (f *facts) schemaBehind() bool {
	return f.db.Schema.Err == nil && f.db.Schema.Value.Version < f.db.Schema.Value.Needed
}

// schemaAhead reports whether the schema belongs to a newer build, so that this build does
// not know all of it.
func (f *facts) schemaAhead() bool {
	return f.db.Schema.Err == nil && f.db.Schema.Value.Version > f.db.Schema.Value.Needed
}

// assessFact assesses a fact; a fact with an error is a warning.
func assessFact[T any](fact Fact[T], assess func(T) assessment) assessment {
	if fact.Err != nil {
		return warning("could not be examined: " + fact.Err.Error()).
			withAdvice("Run the doctor again; if the error stays, give the role the right to look (grant pg_monitor), or find out why the database or the service is slow.")
	}

	return assess(fact.Value)
}

// sanitizeText removes control characters and shortens a text, so that names from outside,
// such as those of client programs, can neither control a terminal nor fill it.
func sanitizeText(text string) string {
	const longest = 2000
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}

		return r
	}, text)
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + " ..."
	}

	return strings.Join(strings.Fields(text), " ")
}
