package config

import "strings"

const (
	// prefix is the beginning of the name of every variable of the service.
	prefix = "THEEYE_"
	// fileSuffix, added to the name of a secret's variable, makes the name of the
	// variable for a file that holds the secret.
	fileSuffix = "_FILE"
)

// Setting is one setting, with its names in all sources.
type Setting struct {
	// Key is its name in the file, with a dot for each level: "http.listen".
	Key string
	// Env is its variable: "THEEYE_HTTP_LISTEN". A secret may be given by a file
	// named in Env with "_FILE" added instead.
	Env string
	// Flag is its flag without the dashes: "http-listen".
	Flag string
	// Type is the form of the text: "duration", "size", "number", "host:port",
	// "connection string", or the allowed words, with | between them.
	Type string
	// Default is the text that applies if the setting is not set; it may be empty.
	Default string
	// Usage is one sentence without a full stop, plain enough for a terminal and for
	// Markdown.
	Usage string
	// Secret means that the value must not be shown.
	Secret bool
}

// setting adds the field of a Config that the text sets.
type setting struct {
	Setting

	field func(*Config) value
}

// Settings returns every setting in the order in which they are documented.
func Settings() []Setting {
	all := settingsTable()
	list := make([]Setting, len(all))
	for i, s := range all {
		list[i] = s.Setting
	}

	return list
}

// newSetting makes a setting and derives its other names from the key.
func newSetting(key, standard, usage string, field func(*Config) value) setting {
	standsFor := field(&Config{})
	_, secret := standsFor.(connection)
	return setting{
		Setting: Setting{
			Key:     key,
			Env:     prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key)),
			Flag:    strings.NewReplacer(".", "-", "_", "-").Replace(key),
			Type:    standsFor.typeName(),
			Default: standard,
			Usage:   usage,
			Secret:  secret,
		},
		field: field,
	}
}
