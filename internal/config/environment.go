package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
)

// FileVariable is the variable that names the settings file when no flag does.
const FileVariable = "THEEYE_CONFIG"

// parseEnvironment returns the THEEYE_ variables of an environment, without the empty
// ones.
func (l *loader) parseEnvironment(environ []string) map[string]string {
	variables := map[string]string{}
	for _, entry := range environ {
		variable, text, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(variable, prefix) {
			variables[variable] = text
		}
	}

	known := l.knownVariables()
	for _, variable := range sortedKeys(variables) {
		if !slices.Contains(known, variable) && !isForeignVariable(variable, variables[variable]) {
			l.addProblem("unknown variable %s; the nearest known one is %s", quoteName(variable), findNearest(variable, known))
		}
	}

	maps.DeleteFunc(variables, func(_, text string) bool { return text == "" })
	return variables
}

// selectOpenTelemetry returns the OTEL_ variables of an environment.
func selectOpenTelemetry(environ []string) map[string]string {
	variables := map[string]string{}
	for _, entry := range environ {
		if variable, text, _ := strings.Cut(entry, "="); strings.HasPrefix(variable, "OTEL_") {
			variables[variable] = text
		}
	}

	return variables
}

// readEnvironment reads settings from the variables.
func (l *loader) readEnvironment(variables map[string]string) {
	for _, s := range l.settings {
		text, isSet := variables[s.Env]
		if isSet {
			l.byKey[s.Key] = settingText{source: SourceEnv, place: "variable " + s.Env, text: text}
		}

		if !s.Secret {
			continue
		}

		if path, hasFile := variables[s.Env+fileSuffix]; hasFile {
			if isSet {
				l.addProblem("%s: both variables %s and %s%s are set: keep one of them", s.Key, s.Env, s.Env, fileSuffix)
			}

			l.byKey[s.Key] = settingText{source: SourceEnv, place: "variable " + s.Env + fileSuffix, secretFile: path}
		}
	}
}

// knownVariables lists the names of the known variables.
func (l *loader) knownVariables() []string {
	list := []string{FileVariable}
	for _, s := range l.settings {
		list = append(list, s.Env)
		if s.Secret {
			list = append(list, s.Env+fileSuffix)
		}
	}

	return list
}

// readContent returns the text, read from the secret's file if there is one. Its errors
// do not name the file, because the variable may hold the secret itself by mistake.
func (g settingText) readContent() (string, error) {
	if g.secretFile == "" {
		return g.text, nil
	}

	content, err := os.ReadFile(g.secretFile)
	if err != nil {
		if path := (*fs.PathError)(nil); errors.As(err, &path) {
			err = path.Err
		}

		return "", fmt.Errorf("the file it names cannot be read: %w", err)
	}

	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return "", errors.New("the file it names is empty")
	}

	return text, nil
}

// isForeignVariable reports whether a variable with the prefix THEEYE_ is not a setting
// of the service: the addresses and keys that `theeye dev` writes for clients, and the
// links that Kubernetes sets for every Service of the namespace, of which one may be
// called theeye.
func isForeignVariable(variable, text string) bool {
	switch variable {
	case "THEEYE_URL", "THEEYE_OPS_URL", "THEEYE_INGEST_KEY", "THEEYE_READ_KEY", "THEEYE_ADMIN_KEY", "THEEYE_PUBLIC_KEY", "THEEYE_KEY":
		return true
	}

	// The name of a link is the name of the Service and a part of a fixed form. The
	// part is looked for after each underscore, because the Service's name may contain
	// underscores.
	for at := len(prefix) - 1; at >= 0; {
		if isServiceLink(variable[at+1:], text) {
			return true
		}

		next := strings.IndexByte(variable[at+1:], '_')
		if next < 0 {
			return false
		}

		at += 1 + next
	}

	return false
}

// isServiceLink reports whether a variable's name ends like the link of a Service:
// SERVICE_HOST, SERVICE_PORT, SERVICE_PORT_<name>, PORT, PORT_<number>_<protocol> and
// the latter with _PROTO, _PORT or _ADDR.
func isServiceLink(part, text string) bool {
	protocols := []string{"TCP", "UDP", "SCTP"}
	if part == "PORT" {
		// The value of a link, such as tcp://10.0.0.1:80, distinguishes it from a
		// mistyped setting.
		scheme, _, _ := strings.Cut(text, "://")
		return slices.Contains(protocols, strings.ToUpper(scheme))
	}

	if part == "SERVICE_HOST" || part == "SERVICE_PORT" || strings.HasPrefix(part, "SERVICE_PORT_") {
		return true
	}

	rest, isPort := strings.CutPrefix(part, "PORT_")
	number, rest, hasProtocol := strings.Cut(rest, "_")
	protocol, rest, hasMore := strings.Cut(rest, "_")
	return isPort && hasProtocol && number != "" && strings.Trim(number, "0123456789") == "" &&
		slices.Contains(protocols, protocol) &&
		(!hasMore || slices.Contains([]string{"PROTO", "PORT", "ADDR"}, rest))
}

func sortedKeys(texts map[string]string) []string { return slices.Sorted(maps.Keys(texts)) }
