package config

import "github.com/spf13/pflag"

// FileFlag is the flag that names the settings file.
const FileFlag = "config"

// flagText is a flag that stores its text. Load parses the text, to report all problems
// of all sources together.
type flagText struct {
	text string
	kind string
}

// String returns the text.
func (f *flagText) String() string { return f.text }

// Set stores the text.
func (f *flagText) Set(text string) error {
	f.text = text
	return nil
}

// Type returns the name of the value in the help.
func (f *flagText) Type() string { return f.kind }

// BindFlags adds a flag for every setting, and --config for the settings file. It
// panics if a flag of the same name exists.
func BindFlags(fs *pflag.FlagSet) {
	fs.String(FileFlag, "", "Read settings from this YAML `file` (variable "+FileVariable+")")
	for _, s := range Settings() {
		fs.Var(&flagText{text: s.Default, kind: s.Type}, s.Flag, s.Usage+" ("+s.Key+")")
	}
}

// SetFlags returns the texts of the flags of BindFlags that were given, by key, for
// Sources.Flags.
func SetFlags(fs *pflag.FlagSet) map[string]string {
	keys := map[string]string{}
	for _, s := range Settings() {
		keys[s.Flag] = s.Key
	}

	texts := map[string]string{}
	fs.Visit(func(f *pflag.Flag) {
		if key, ours := keys[f.Name]; ours {
			texts[key] = f.Value.String()
		}
	})
	return texts
}
