package ops

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap/zapcore"
)

// maxLevelBody bounds the body of a change, which needs about forty bytes.
const maxLevelBody = 1 << 10

const levelUsage = `send {"level":"debug","for":"10m"}`

func (l *Level) serveGet(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, l.buildReport())
}

func (l *Level) servePut(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLevelBody))
	if err != nil {
		status := http.StatusBadRequest
		text := "the body did not arrive"
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			status = http.StatusRequestEntityTooLarge
			text = fmt.Sprintf("the body is larger than %d bytes", maxLevelBody)
		}

		writeText(w, status, text+"; "+levelUsage+"\n")
		return
	}

	level, duration, err := parseOverride(body)
	if err != nil {
		writeText(w, http.StatusBadRequest, err.Error()+"; "+levelUsage+"\n")
		return
	}

	if err := l.overrideLevel(level, duration, r.RemoteAddr); err != nil {
		writeText(w, http.StatusServiceUnavailable, err.Error()+"\n")
		return
	}

	writeJSON(w, http.StatusOK, l.buildReport())
}

func (l *Level) serveDelete(w http.ResponseWriter, r *http.Request) {
	l.endOverride(r.RemoteAddr)
	writeJSON(w, http.StatusOK, l.buildReport())
}

// parseOverride reads a change. Its errors repeat no part of the body.
func parseOverride(body []byte) (level zapcore.Level, duration time.Duration, err error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return 0, 0, errors.New("the body is not a JSON object")
	}

	var text string
	duration = defaultOverride
	for name, value := range members {
		switch name {
		case "level":
			if err := json.Unmarshal(value, &text); err != nil {
				return 0, 0, errors.New(`"level" is not a string`)
			}
		case "for":
			if duration, err = parseDuration(value); err != nil {
				return 0, 0, err
			}
		default:
			return 0, 0, errors.New(`the only members are "level" and "for"`)
		}
	}

	switch text {
	case "debug", "info", "warn", "error":
	default:
		return 0, 0, errors.New(`"level" must be debug, info, warn or error`)
	}

	if level, err = zapcore.ParseLevel(text); err != nil {
		return 0, 0, fmt.Errorf("read the level: %w", err)
	}

	return level, duration, nil
}

func parseDuration(value json.RawMessage) (time.Duration, error) {
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return 0, errors.New(`"for" is not a string`)
	}

	duration, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New(`"for" is not a duration such as 90s, 10m or 1h30m`)
	}

	if duration < minOverride || duration > maxOverride {
		return 0, errors.New(`"for" must be between 1s and 24h; for a permanent level change the setting log.level`)
	}

	return duration, nil
}
