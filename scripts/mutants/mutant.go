package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is a bug that can be planted.
type mutant struct {
	name  string
	title string
	// file is the source file with the bug, below the root of the module.
	file string
	// pkg and test name the test that has to fail.
	pkg, test string
	// cycles and faults are those of the chaos run that has to find the bug.
	cycles, faults string
	changes        []change
}

// change is a text of the source, and its replacement.
type change struct{ from, to string }

const (
	insteadOf = "-- instead of --\n"
	plant     = "-- plant --\n"
)

// readMutants reads the mutants of a folder, in the order of their names: all of them, or those
// with these names.
func readMutants(dir string, names []string) ([]mutant, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(fmt.Errorf("there are no mutants in %s", dir), err)
	}

	var all []mutant
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}

		text, err := os.ReadFile(file) //nolint:gosec // the caller names the folder
		if err != nil {
			return nil, fmt.Errorf("read a mutant: %w", err)
		}

		m, err := parseMutant(name, string(text))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}

		all = append(all, m)
	}

	if len(names) > 0 && len(all) != len(names) {
		return nil, fmt.Errorf("of %v only %d are in %s", names, len(all), dir)
	}

	return all, nil
}

// parseMutant reads a mutant.
func parseMutant(name, text string) (mutant, error) {
	head, rest, found := strings.Cut(text, insteadOf)
	if !found {
		return mutant{}, fmt.Errorf("%q is missing", strings.TrimSpace(insteadOf))
	}

	m := mutant{name: name}
	for line := range strings.Lines(head) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "file":
			m.file = value
		case "test":
			m.pkg, m.test, _ = strings.Cut(value, " ")
		case "chaos":
			m.cycles, m.faults, _ = strings.Cut(value, " ")
		default:
			m.title = strings.TrimSpace(m.title + " " + strings.TrimSpace(line))
		}
	}

	for part := range strings.SplitSeq(rest, insteadOf) {
		from, to, found := strings.Cut(part, plant)
		if !found {
			return mutant{}, fmt.Errorf("%q is missing", strings.TrimSpace(plant))
		}

		m.changes = append(m.changes, change{strings.TrimSuffix(from, "\n"), strings.TrimSuffix(to, "\n")})
	}

	if m.title == "" || m.file == "" || m.test == "" || m.faults == "" {
		return mutant{}, errors.New("it has to describe the bug, and name the file, and which test and which faults find it")
	}

	return m, nil
}

// plantedSource returns the source file with the bug. If the original text does not occur
// exactly once, the source has changed, and the mutant has to be adapted.
func (m *mutant) plantedSource(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, m.file)) //nolint:gosec // a file of this module
	if err != nil {
		return "", fmt.Errorf("plant %s: %w", m.name, err)
	}

	text := string(source)
	for _, c := range m.changes {
		if n := strings.Count(text, c.from); n != 1 {
			return "", fmt.Errorf("%s does not fit: its text occurs %d times in %s instead of once; adapt scripts/mutants/planted/%s.txt:\n%s", m.name, n, m.file, m.name, c.from)
		}

		text = strings.Replace(text, c.from, c.to, 1)
	}

	return text, nil
}

// writeOverlay writes the source with the bug into a folder, and returns the file for the Go
// tool's -overlay.
func (m *mutant) writeOverlay(root, dir string) (string, error) {
	text, err := m.plantedSource(root)
	if err != nil {
		return "", err
	}

	const mode = 0o600
	source := filepath.Join(dir, filepath.Base(m.file))
	list := filepath.Join(dir, "overlay.json")
	index, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, m.file): source}})
	if err == nil {
		err = errors.Join(os.WriteFile(source, []byte(text), mode), os.WriteFile(list, index, mode))
	}

	if err != nil {
		return "", fmt.Errorf("plant %s: %w", m.name, err)
	}

	return list, nil
}
