package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

// settingsFile is a settings file that is being read.
type settingsFile struct {
	*loader

	path string
	// lines holds the line of each setting, to report a setting that is given twice.
	lines map[string]int
}

// readFile reads settings from a YAML file.
func (l *loader) readFile(path string) {
	f := &settingsFile{loader: l, path: path, lines: map[string]int{}}
	content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		l.addProblem("settings file: %w", err)
		return
	}

	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document yaml.Node
	err = decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return // a file of comments sets nothing
	}

	if err != nil {
		l.addProblem("settings file %s is not valid YAML: %w", path, redactParserError(err))
		return
	}

	f.readGroup("", document.Content[0])
	if err = decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		l.addProblem("settings file %s holds more than one YAML document: keep one", path)
	}
}

// readGroup reads the settings of one level, whose keys begin with path.
func (f *settingsFile) readGroup(path string, node *yaml.Node) {
	if isEmptyNode(node) {
		return // all of its lines are commented out
	}

	if node.Kind != yaml.MappingNode {
		where := "the file"
		if path != "" {
			where = strings.TrimSuffix(path, ".")
		}

		f.addProblem("%s: %s holds settings; give them below it as name: value", f.describePlace(node), where)
		return
	}

	for i := 0; i+1 < len(node.Content); i += 2 {
		f.readMember(path+node.Content[i].Value, node.Content[i], node.Content[i+1])
	}
}

// readMember reads a setting or descends into a group of settings.
func (f *settingsFile) readMember(key string, at, node *yaml.Node) {
	_, known := f.byKey[key]
	switch {
	case known:
		f.readSetting(key, at, node)
	case f.isGroup(key):
		f.readGroup(key+".", node)
	default:
		f.addProblem("%s: unknown setting %s; the nearest known one is %s", f.describePlace(at), quoteName(key), findNearest(key, f.settingKeys()))
	}
}

func (f *settingsFile) readSetting(key string, at, node *yaml.Node) {
	if line, twice := f.lines[key]; twice {
		f.addProblem("%s: %s is already set in line %d: keep one of them", f.describePlace(at), key, line)
		return
	}

	f.lines[key] = at.Line
	if node.Kind != yaml.ScalarNode || isEmptyNode(node) {
		f.addProblem("%s: %s has no value; give one, in quotes if it begins with a special character, or remove the line", f.describePlace(at), key)
		return
	}

	f.byKey[key] = settingText{source: SourceFile, place: f.describePlace(node), text: node.Value}
}

// isGroup reports whether settings begin with the key and a dot.
func (f *settingsFile) isGroup(key string) bool {
	for _, s := range f.settings {
		if strings.HasPrefix(s.Key, key+".") {
			return true
		}
	}

	return false
}

func (f *settingsFile) describePlace(node *yaml.Node) string {
	return fmt.Sprintf("file %s line %d", f.path, node.Line)
}

func isEmptyNode(node *yaml.Node) bool {
	return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null"
}

// redactParserError returns the parser's error unless the error quotes the file. The
// parser does so when a value begins with * or &, and that value may be secret.
func redactParserError(err error) error {
	if strings.Contains(err.Error(), "'") && strings.Contains(err.Error(), "anchor") {
		return errors.New("a value begins with * or &: put it in quotes")
	}

	return err
}
