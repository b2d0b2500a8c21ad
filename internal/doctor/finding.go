package doctor

// Result is the result of one check.
type Result string

// The results. Only Failed makes the command fail.
const (
	// OK means that there is no problem, or nothing to assess.
	OK Result = "ok"
	// Warning means a problem that costs speed or safety, or that will grow worse.
	Warning Result = "warning"
	// Failed means that a guarantee of the service is broken, or is about to be.
	Failed Result = "failed"
	// Skipped means that the check could not run; Found says why.
	Skipped Result = "skipped"
)

// Finding is the outcome of one check. Its texts have no control characters and no
// secrets.
type Finding struct {
	// Area is the part of the deployment, the first part of Check.
	Area string `json:"area"`
	// Check is the stable name of the check, such as "database.version".
	Check  string `json:"check"`
	Result Result `json:"result"`
	// Found describes the state that the check found.
	Found string `json:"found"`
	// Advice is the fix; empty if there is no problem.
	Advice string `json:"advice,omitempty"`
}

// Summary counts the findings.
type Summary struct {
	OK       int `json:"ok"`
	Warnings int `json:"warnings"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	// Reached means that the database or the service answered.
	Reached bool `json:"reached"`
}

// Report holds all findings, in the order of the documentation.
type Report struct {
	Findings []Finding `json:"findings"`
	Summary  Summary   `json:"summary"`
}

// assessment is a finding without the name of its check.
type assessment struct {
	result Result
	found  string
	// advice replaces the remedy of the check.
	advice string
}

func ok(found string) assessment      { return assessment{result: OK, found: found} }
func warning(found string) assessment { return assessment{result: Warning, found: found} }
func failed(found string) assessment  { return assessment{result: Failed, found: found} }
func skipped(found string) assessment { return assessment{result: Skipped, found: found} }

// withAdvice returns the assessment with its own advice.
func (v assessment) withAdvice(advice string) assessment {
	v.advice = advice
	return v
}
