package config

import (
	"errors"
	"fmt"
	"strings"
)

// Source is where a setting came from.
type Source string

// The sources, from the weakest to the strongest.
const (
	SourceDefault Source = "default"
	SourceFile    Source = "file"
	SourceEnv     Source = "env"
	SourceFlag    Source = "flag"
)

// Sources holds everything that Load reads.
type Sources struct {
	// Defaults replaces defaults of the table, from key to text, for a command that
	// has its own.
	Defaults map[string]string
	// Flags holds the flags that were given, from key to text; see SetFlags.
	Flags map[string]string
	// Environ is the environment as os.Environ returns it. An empty variable counts as
	// not set.
	Environ []string
	// File is the path of a YAML file. When it is empty the variable THEEYE_CONFIG
	// may name one; with neither no file is read.
	File string
}

// settingText is the text of a setting and the place where it was found.
type settingText struct {
	source Source
	// place describes the place for a person.
	place string
	text  string
	// secretFile names a file that holds the text instead.
	secretFile string
}

// loader collects the settings of all sources. It collects all problems too, so that an
// operator can fix them in one pass.
type loader struct {
	settings []setting
	byKey    map[string]settingText
	// invalid holds the settings that could not be read and are not compared with
	// others.
	invalid  map[string]bool
	problems []error
}

// Load reads and checks every setting. Its error joins all problems, one a line; each
// names the setting, its source and a valid value, and none holds the value of a
// secret. With an error the Config is zero.
func Load(sources Sources) (Config, error) {
	l := &loader{settings: settingsTable(), byKey: map[string]settingText{}, invalid: map[string]bool{}}
	for _, s := range l.settings {
		l.byKey[s.Key] = settingText{source: SourceDefault, place: "default", text: s.Default}
	}

	l.readTexts(sources.Defaults, SourceDefault, func(Setting) string { return "default" })
	environment := l.parseEnvironment(sources.Environ)
	file := sources.File
	if file == "" {
		file = environment[FileVariable]
	}

	if file != "" {
		l.readFile(file)
	}

	l.readEnvironment(environment)
	l.readTexts(sources.Flags, SourceFlag, func(s Setting) string { return "flag --" + s.Flag })

	config := l.parseSettings()
	config.OTel = selectOpenTelemetry(sources.Environ)
	l.checkRelations(config)
	if len(l.problems) > 0 {
		return Config{}, errors.Join(l.problems...)
	}

	return config, nil
}

// readTexts reads texts that are already by key.
func (l *loader) readTexts(texts map[string]string, source Source, place func(Setting) string) {
	for _, s := range l.settings {
		if text, found := texts[s.Key]; found {
			l.byKey[s.Key] = settingText{source: source, place: place(s.Setting), text: text}
		}
	}

	for _, key := range sortedKeys(texts) {
		if _, known := l.byKey[key]; !known {
			l.addProblem("unknown setting %s (%s); the nearest known one is %s", quoteName(key), source, findNearest(key, l.settingKeys()))
		}
	}
}

// parseSettings turns the texts with the highest precedence into a Config.
func (l *loader) parseSettings() Config {
	config := Config{origins: make(map[string]Source, len(l.settings))}
	for _, s := range l.settings {
		g := l.byKey[s.Key]
		config.origins[s.Key] = g.source
		text, err := g.readContent()
		if err == nil {
			err = s.field(&config).setFromText(text)
		}

		if err == nil {
			continue
		}

		l.invalid[s.Key] = true
		if s.Secret {
			l.addProblem("%s (%s): %w", s.Key, g.place, err)
		} else {
			l.addProblem("%s (%s) is %s: %w", s.Key, g.place, quoteValue(text), err)
		}
	}

	return config
}

func (l *loader) addProblem(format string, arguments ...any) {
	l.problems = append(l.problems, fmt.Errorf(format, arguments...))
}

func (l *loader) settingKeys() []string {
	keys := make([]string, len(l.settings))
	for i, s := range l.settings {
		keys[i] = s.Key
	}

	return keys
}

// quoteName shows the name of an unknown setting or variable. A text that does not look
// like a name may be a value in the wrong place, even a secret one, and is not shown.
func quoteName(text string) string {
	const tooLong = 80
	odd := func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", r)
	}
	if text == "" || len(text) > tooLong || strings.ContainsFunc(text, odd) {
		return "(a text that is not a name)"
	}

	return text
}

// quoteValue shows a wrong value, unless the value was probably meant for a secret.
func quoteValue(text string) string {
	const tooLong = 60
	if strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "password") {
		return mask
	}

	if runes := []rune(text); len(runes) > tooLong {
		text = string(runes[:tooLong]) + "..."
	}

	return fmt.Sprintf("%q", text)
}
