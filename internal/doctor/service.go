package doctor

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

func (f *facts) checkDatabaseClock() assessment {
	return assessFact(f.db.Clock, func(c Clock) assessment { return f.checkClock("the database's", c) })
}

func (f *facts) checkServiceClock() assessment {
	return assessFact(f.service.Public.Clock, func(c Clock) assessment { return f.checkClock("the service's", c) })
}

// checkClock assesses the part of a difference that is certain.
func (f *facts) checkClock(owner string, c Clock) assessment {
	const most = time.Second
	off := max(c.Ahead.Abs()-c.Uncertainty, 0)
	direction := "ahead of"
	if c.Ahead < 0 {
		direction = "behind"
	}

	found := fmt.Sprintf("%s clock is %s %s this machine's, give or take %s", owner, formatDuration(c.Ahead.Abs()), direction, formatDuration(c.Uncertainty))
	switch {
	case off > max(f.MaxAhead, most):
		return failed(found)
	case off > most:
		return warning(found)
	}

	return ok(found)
}

func (f *facts) checkAnswers() assessment {
	const slow = time.Second
	p := f.service.Public
	switch {
	case p == nil:
		return skipped("no service is given: give --url, or set THEEYE_URL")
	case p.Untrusted:
		return failed("its certificate is not trusted: see service.certificate")
	case p.Err != nil:
		return failed(p.URL + ": " + p.Err.Error())
	case p.Status != http.StatusOK || !p.Limits:
		return failed(fmt.Sprintf("%s answers /v1/limits with %d, and not as The Eye would", p.URL, p.Status))
	case p.Took > slow:
		return warning(fmt.Sprintf("%s answers after %s", p.URL, formatDuration(p.Took))).
			withAdvice("The answer needs no database: check whether the service lacks processor time, or whether a proxy in front is slow.")
	}

	return ok(fmt.Sprintf("%s answers after %s", p.URL, formatDuration(p.Took)))
}

func (f *facts) checkCertificate() assessment {
	const soon = 14 * 24 * time.Hour
	p := f.service.Public
	switch {
	case p == nil:
		return skipped("no service is given: give --url, or set THEEYE_URL")
	case p.Untrusted:
		return failed(p.Err.Error())
	case p.Err != nil:
		return skipped("the service does not answer: see service.answers")
	case p.Expires.IsZero():
		return skipped("the URL is not https")
	case p.Expires.Sub(p.Now) < soon:
		return warning("it expires at " + p.Expires.UTC().Format(time.RFC3339))
	}

	return ok("it is valid until " + p.Expires.UTC().Format(time.RFC3339))
}

func (f *facts) checkRequestID() assessment {
	if f.service.Public.RequestID {
		return ok("answers have it")
	}

	return warning("answers do not have it")
}

func (f *facts) checkOpsHidden() assessment {
	var open, odd []string
	for _, e := range f.service.Public.Hidden {
		switch {
		case e.Err != nil:
			odd = append(odd, e.Path+" could not be probed: "+e.Err.Error())
		case e.Status == http.StatusNotFound || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		case e.Status < http.StatusMultipleChoices || e.Status == http.StatusServiceUnavailable && e.Path == "/readyz":
			open = append(open, e.Path)
		default:
			odd = append(odd, fmt.Sprintf("%s is answered with %d", e.Path, e.Status))
		}
	}

	switch {
	case len(open) > 0:
		return failed("publicly reachable: " + joinNames(open))
	case len(odd) > 0:
		return warning(joinNames(odd))
	}

	return ok("they are not reachable")
}

func (f *facts) checkLive() assessment {
	o := f.service.Ops
	switch {
	case o == nil:
		return skipped("no ops port is given: give --ops-url, or set THEEYE_OPS_URL")
	case o.Err != nil:
		return failed(o.URL + ": " + o.Err.Error())
	case o.Live != http.StatusOK:
		return failed(fmt.Sprintf("%s answers /livez with %d", o.URL, o.Live))
	}

	return ok(o.URL + " is alive")
}

func (f *facts) checkReady() assessment {
	return assessFact(f.service.Ops.Ready, func(r Readiness) assessment {
		var texts []string
		for _, c := range r.Failed {
			text := c.Name
			if c.Detail != "" {
				text += ": " + c.Detail
			}

			texts = append(texts, text)
		}

		switch {
		case r.Status != http.StatusOK:
			return failed(strings.TrimSuffix(fmt.Sprintf("/readyz answers with %d; %s", r.Status, joinNames(texts)), "; "))
		case len(texts) > 0:
			return warning("it is ready, but " + joinNames(texts))
		}

		return ok("it is ready, and every check succeeds")
	})
}

func (f *facts) checkProfiles() assessment {
	return assessFact(f.service.Ops.Profiles, func(status int) assessment {
		if status == http.StatusOK {
			return warning("/debug/pprof/ is served")
		}

		return ok("they are not served")
	})
}

func (f *facts) checkBuild() assessment {
	return assessFact(f.service.Ops.Version, func(version string) assessment {
		switch version {
		case "":
			return skipped("the service does not report its version")
		case f.Version:
			return ok("both are " + version)
		}

		return warning(fmt.Sprintf("the service is %s, this program is %s", version, f.Version))
	})
}
