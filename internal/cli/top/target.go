package top

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The limits of the options.
const (
	MinInterval = 200 * time.Millisecond
	MaxInterval = time.Minute
	maxTargets  = 64
)

// target is the ops port of one replica.
type target struct {
	name    string // its name in the view
	metrics string // the URL of its metrics
}

// parseTarget parses the URL of an ops port, with or without the path /metrics.
func parseTarget(text string) (target, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return target{}, fmt.Errorf("%q is not the URL of an ops port, such as http://127.0.0.1:8081", sanitizeText(text))
	}

	if u.RawQuery != "" || u.Fragment != "" {
		return target{}, fmt.Errorf("the URL of an ops port has no query: %s", sanitizeText(u.Redacted()))
	}

	if !strings.HasSuffix(u.Path, "/metrics") {
		u = u.JoinPath("metrics")
	}

	return target{name: u.Host, metrics: u.String()}, nil
}

// parseTargets parses all URLs. It rejects a URL that is given twice, because its numbers
// would count twice.
func parseTargets(texts []string) ([]target, error) {
	if len(texts) == 0 {
		return nil, errors.New("no ops port is given")
	}

	if len(texts) > maxTargets {
		return nil, fmt.Errorf("%d ops ports are given; the maximum is %d", len(texts), maxTargets)
	}

	targets := make([]target, 0, len(texts))
	seen := map[string]bool{}
	for _, text := range texts {
		t, err := parseTarget(text)
		if err != nil {
			return nil, err
		}

		if seen[t.metrics] {
			return nil, fmt.Errorf("the ops port %s is given twice", sanitizeText(t.name))
		}

		seen[t.metrics] = true
		targets = append(targets, t)
	}

	return targets, nil
}
