package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"

	"github.com/the-eye-events/the-eye/internal/event"
	"github.com/the-eye-events/the-eye/internal/fault"
	"github.com/the-eye-events/the-eye/internal/query"
)

// parameters reads query parameters strictly and collects all violations.
type parameters struct {
	values     url.Values
	violations []fault.Violation
}

// expectParameters records the parameters of a route. A route without parameters accepts none: a
// client that asks for a dry run must not get a real one.
func (a *api) expectParameters(names []string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if c.Request.URL.RawQuery == "" {
			return
		}

		requestStateOf(c).parameters = names
		if len(names) > 0 {
			return
		}

		if err := readParameters(c).toFault(); err != nil {
			a.sendProblem(c, err)
		}
	}
}

// readParameters rejects parameters that the route does not have, or that are given twice.
func readParameters(c *gin.Context) *parameters {
	allowed := requestStateOf(c).parameters
	values, err := url.ParseQuery(c.Request.URL.RawQuery)
	p := &parameters{values: values}
	if err != nil {
		p.addViolation("", fault.CodeInvalidParameter, "the query string is not well-formed")
	}

	for name, given := range values {
		switch {
		case name != prettyParameter && !slices.Contains(allowed, name) && (!strings.HasPrefix(name, dataPrefix) || !slices.Contains(allowed, dataParameters)):
			known := "; there are: " + strings.Join(allowed, ", ")
			if len(allowed) == 0 {
				known = ", nor any other"
			}

			p.addViolation(name, fault.CodeUnknownParameter, fmt.Sprintf("there is no parameter %.64q here%s", name, known))
		case len(given) > 1:
			p.addViolation(name, fault.CodeInvalidParameter, name+" is given more than once")
		case strings.ContainsRune(given[0], 0) || !utf8.ValidString(given[0]):
			p.addViolation(name, fault.CodeInvalidParameter, name+" holds a NUL character, or is not valid UTF-8")
			values.Del(name)
		}
	}

	p.checkPretty()
	slices.SortFunc(p.violations, func(a, b fault.Violation) int { return strings.Compare(a.Parameter, b.Parameter) })
	p.violations = p.violations[:min(len(p.violations), event.MaxViolations)]
	return p
}

// addViolation records a violation. It may be stored with a rejection, so a name that the client
// chose is truncated and freed of characters that cannot be stored.
func (p *parameters) addViolation(name string, code fault.Code, detail string) {
	const longest = 64
	name = strings.ReplaceAll(name[:min(len(name), longest)], "\x00", "\uFFFD")
	p.violations = append(p.violations, fault.Violation{Parameter: strings.ToValidUTF8(name, "\uFFFD"), Code: code, Detail: detail})
}

// toFault returns the violations, at most as many as are reported for an event, or nil.
func (p *parameters) toFault() error {
	if len(p.violations) == 0 {
		return nil
	}

	wrong := p.violations[:min(len(p.violations), event.MaxViolations)]
	return &fault.Error{Kind: fault.Invalid, Code: wrong[0].Code, Detail: wrong[0].Detail, Violations: wrong}
}

// toDocumentFault is toFault for parameters from a body: their names become pointers into it.
func (p *parameters) toDocumentFault() error {
	for i := range p.violations {
		w := &p.violations[i]
		w.Pointer = "/" + w.Parameter
		w.Parameter = ""
		if w.Code == fault.CodeInvalidParameter {
			w.Code = fault.CodeInvalidRequest
		}
	}

	return &fault.Error{Kind: fault.Invalid, Code: fault.CodeInvalidRequest, Detail: p.violations[0].Detail, Violations: p.violations}
}

func (p *parameters) readText(name string) string {
	text := p.values.Get(name)
	if text == "" && p.values.Has(name) {
		p.addViolation(name, fault.CodeInvalidParameter, name+" is empty; give a value, or leave it out")
	}

	return text
}

func (p *parameters) readBoolean(name string) bool {
	switch p.values.Get(name) {
	case "true", "1":
		return true
	case "false", "0":
		return false
	}

	if p.values.Has(name) {
		p.addViolation(name, fault.CodeInvalidParameter, name+" must be true or false")
	}

	return false
}

func (p *parameters) readID(name string) (id uuid.NullUUID) {
	if text := p.readText(name); text != "" {
		parsed, ok := query.ParseID(text)
		switch {
		case !ok:
			p.addViolation(name, fault.CodeInvalidParameter, name+" must be a UUID")
		case isNil(parsed):
			p.addViolation(name, fault.CodeNilUUID, name+" is the nil UUID, which names nothing")
		default:
			return uuid.NullUUID{UUID: parsed, Valid: true}
		}
	}

	return id
}

// readTimeRange reads from and to.
func (p *parameters) readTimeRange() (from, to time.Time) {
	from, to, wrong := query.ParseRange(p.readBound("from"), p.readBound("to"))
	p.violations = append(p.violations, wrong...)
	return from, to
}

// readBound reads one end of a range. A plus sign that was not escaped arrives as a space and is
// read as a plus sign.
func (p *parameters) readBound(name string) query.Bound {
	text := p.readText(name)
	if cut := strings.LastIndexByte(text, ' '); cut > 0 {
		escaped := text[:cut] + "+" + text[cut+1:]
		if _, ok := event.ParseTimestamp(escaped); ok {
			text = escaped
		}
	}

	return query.Bound{Name: name, Text: text}
}

func (p *parameters) readLimit() int {
	text := p.readText("limit")
	if text == "" {
		return query.DefaultLimit
	}

	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 || limit > query.MaxLimit {
		p.addViolation("limit", fault.CodeInvalidParameter, fmt.Sprintf("limit is a number from 1 to %d", query.MaxLimit))
		return query.DefaultLimit
	}

	return limit
}

// readOneOf reads a parameter that has a few values.
func (p *parameters) readOneOf(name string, values ...string) string {
	text := p.readText(name)
	if text != "" && !slices.Contains(values, text) {
		p.addViolation(name, fault.CodeInvalidParameter, fmt.Sprintf("%s is one of: %s", name, strings.Join(values, ", ")))
	}

	return text
}

// readApplication reads the application filter and restricts a key to its own application unless
// it reads all of them.
func (p *parameters) readApplication(c *gin.Context) string {
	name := p.readText("application")
	caller := callerOf(c)
	if caller.ReadsAll() {
		return name
	}

	if name != "" && name != caller.Application.Name {
		p.addViolation("application", fault.CodeForbidden, "this key reads only the application "+caller.Application.Name)
	}

	return caller.Application.Name
}
