package doctor

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// Inspector looks at the database. The postgres package implements it. Inspect changes
// nothing and is bounded in time; what cannot be found out is an error in its fact.
type Inspector interface {
	InspectDatabase(ctx context.Context) Database
}

// Prober calls the service from outside. The probe package implements it. Probe changes
// nothing and is bounded in time.
type Prober interface {
	ProbeService(ctx context.Context) ServiceFacts
}

// Config is what facts are held against.
type Config struct {
	// Version is that of this build.
	Version string
	// WriteConnections, ReadConnections, ChangeConnections and WatchConnections are those
	// of one replica.
	WriteConnections  int
	ReadConnections   int
	ChangeConnections int
	WatchConnections  int
	// Replicas is how many there are; 0 counts those that are connected.
	Replicas int
	// Pooled tells that a pooler in transaction mode stands between.
	Pooled bool
	// WriteTimeout and ReadTimeout bound the service's statements.
	WriteTimeout time.Duration
	ReadTimeout  time.Duration
	// MaxAhead is how far ahead of the service's clock a timestamp may be.
	MaxAhead time.Duration
	// Capacity is the size in bytes that the database may grow to; 0 is not known.
	Capacity int64
	// LongTransaction is from what age a transaction is one too long; zero is 5 minutes.
	LongTransaction time.Duration
	// LongWait is from what time a wait for a lock is one too long; zero is a second.
	LongWait time.Duration
}

// Deps are where facts come from. What is nil is skipped.
type Deps struct {
	Database Inspector
	Service  Prober
}

// facts are all that is known, and what it is held against.
type facts struct {
	Config

	db      *Database
	service ServiceFacts
}

// Examine asks for the facts and judges them. It returns a finding for every check
// there is.
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

// anyAnswered tells whether anything answered. A certificate that is not trusted is an answer.
func (f *facts) anyAnswered() bool {
	public, ops := f.service.Public, f.service.Ops
	return f.db != nil && f.db.Err == nil || public != nil && (public.Err == nil || public.Untrusted) || ops != nil && ops.Err == nil
}

// checkRequirement tells whether a check can be made, or why it is skipped.
func (f *facts) checkRequirement(needs requirement) (assessment, bool) {
	public, ops := f.service.Public, f.service.Ops
	switch needs {
	case needsDatabase, needsSchema:
		switch {
		case f.db == nil:
			return skipped("no database is named: set THEEYE_DATABASE_URL"), false
		case f.db.Err != nil:
			return skipped("the database cannot be reached"), false
		case f.db.Pooler.Value.NoTransactions:
			return skipped("nothing can be asked without transactions: see database.pooler"), false
		case needs == needsSchema && f.schemaBehind():
			return skipped("the schema is behind: see database.schema"), false
		}
	case needsService:
		switch {
		case public == nil:
			return skipped("no service is named: give --url, or set THEEYE_URL"), false
		case public.Err != nil:
			return skipped("the service does not answer: see service.answers"), false
		}
	case needsOps:
		switch {
		case ops == nil:
			return skipped("no second port is named: give --ops-url, or set THEEYE_OPS_URL"), false
		case ops.Err != nil:
			return skipped("the second port does not answer: see ops.live"), false
		}
	case needsNothing:
	}

	return assessment{}, true
}

func (f *facts) schemaBehind() bool {
	return f.db.Schema.Err == nil && f.db.Schema.Value.Version < f.db.Schema.Value.Needed
}

// schemaAhead tells that the schema is that of a newer build, of which not all is known.
func (f *facts) schemaAhead() bool {
	return f.db.Schema.Err == nil && f.db.Schema.Value.Version > f.db.Schema.Value.Needed
}

// assessFact judges a fact, or tells why there is none.
func assessFact[T any](fact Fact[T], judge func(T) assessment) assessment {
	if fact.Err != nil {
		return warning("could not be looked at: " + fact.Err.Error()).
			withAdvice("Run it again; if it stays, give the role the right to look (grant pg_monitor), or see why the database or the service is slow.")
	}

	return judge(fact.Value)
}

// sanitizeText keeps names that strangers chose, such as those of client programs, from
// steering a terminal, and from filling it.
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
