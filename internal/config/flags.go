package config

import "github.com/spf13/pflag"

// FileFlag is the flag that names the settings file.
const FileFlag = "config"

// flagText is a flag that keeps its text. It is Load that reads it, to report all
// problems of all sources together.
type flagText struct {
	text string
	kind string
}

// String returns the text.
func (f *flagText) String() string { return f.text }

// Set keeps the text.
func (f *flagText) Set(text string) error {
	f.text = text
	return nil
}

// Type returns what the help calls the value.
func (f *flagText) Type() string { return f.kind }

// BindFlags adds a flag for every setting, and --config for the settings file. A
// flag of the same name that is already there makes it panic.
func BindFlags(fs *pflag.FlagSet) {
	fs.String(FileFlag, "", "Read settings from this YAML `file` (variable "+FileVariable+")")
	for _, s := range Settings() {
		fs.Var(&flagText{text: s.Default, kind: s.Type}, s.Flag, s.Usage+" ("+s.Key+")")
	}
}

// SetFlags returns what was given for the flags of BindFlags, from key to text,
// for Sources.Flags. Flags that were not given are not in it.
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
