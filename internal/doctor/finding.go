package doctor

// Result is what became of one check.
type Result string

// The results. Only Failed makes the command fail.
const (
	// OK tells that all is as it should be, or that there was nothing to judge.
	OK Result = "ok"
	// Warning tells of something that costs speed or safety, or that will grow worse.
	Warning Result = "warning"
	// Failed tells that a promise of the service is broken, or is about to be.
	Failed Result = "failed"
	// Skipped tells that the check could not be made, and why.
	Skipped Result = "skipped"
)

// Finding is the outcome of one check. Its texts have no control characters, and no
// secret.
type Finding struct {
	// Area is the part of the deployment, the first part of Check.
	Area string `json:"area"`
	// Check is the stable name of the check, such as "database.version".
	Check  string `json:"check"`
	Result Result `json:"result"`
	// Found is what is so.
	Found string `json:"found"`
	// Advice is what to do about it; empty when all is well.
	Advice string `json:"advice,omitempty"`
}

// Summary counts the findings.
type Summary struct {
	OK       int `json:"ok"`
	Warnings int `json:"warnings"`
	Failed   int `json:"failed"`
	Skipped  int `json:"skipped"`
	// Reached tells that the database or the service answered.
	Reached bool `json:"reached"`
}

// Report is everything that was found, in the order of the documentation.
type Report struct {
	Findings []Finding `json:"findings"`
	Summary  Summary   `json:"summary"`
}

// assessment is a finding before it knows its name.
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

// withAdvice replaces the advice.
func (v assessment) withAdvice(advice string) assessment {
	v.advice = advice
	return v
}
