package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/the-eye-events/the-eye/internal/config"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the table of settings in docs/configuration.md")
	flag.Parse()
	m.Run()
}

func TestEverySettingHasAFlag(t *testing.T) {
	t.Parallel()
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	config.BindFlags(fs)
	require.Empty(t, config.SetFlags(fs), "defaults are not given")
	for _, s := range config.Settings() {
		f := fs.Lookup(s.Flag)
		require.NotNil(t, f, s.Key)
		require.Equal(t, s.Default, f.DefValue)
		require.Equal(t, s.Type, f.Value.Type())
	}

	require.NoError(t, fs.Parse([]string{"--http-listen=:1", "--retention-events", "365d", "--config", "c.yaml", "--drain-delay", "0"}))
	require.Equal(t, map[string]string{
		"http.listen": ":1", "retention.events": "365d", "drain.delay": "0",
	}, config.SetFlags(fs))
	file, err := fs.GetString(config.FileFlag)
	require.NoError(t, err)
	require.Equal(t, "c.yaml", file)
}

func TestEverySettingIsWellNamed(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range config.Settings() {
		require.Regexp(t, `^[a-z]+\.[a-z_]+$`, s.Key)
		require.Regexp(t, `^THEEYE_[A-Z_]+$`, s.Env)
		require.Regexp(t, `^[a-z]+(-[a-z]+)+$`, s.Flag)
		require.NotEmpty(t, s.Usage)
		require.NotContains(t, s.Usage, "|", "it stands in a Markdown table")
		require.NotContains(t, s.Usage, "`", "pflag takes what is quoted for the value's name")
		require.False(t, strings.HasSuffix(s.Usage, "."), s.Key)
		require.Equal(t, s.Key == "database.url", s.Secret)
		for _, name := range []string{s.Key, s.Env, s.Flag} {
			require.False(t, seen[name], name)
			seen[name] = true
		}
	}
}

func TestWhatIsDescribedCanBeReadBack(t *testing.T) {
	t.Parallel()
	standard, err := config.Load(config.Sources{})
	require.NoError(t, err)
	texts := map[string]string{}
	for i, s := range config.Settings() {
		line := standard.Describe()[i]
		require.Equal(t, s.Key, line.Key)
		require.Equal(t, config.SourceDefault, line.Source)
		texts[line.Key] = line.Value
	}

	again, err := config.Load(config.Sources{Flags: texts})
	require.NoError(t, err)
	for _, line := range again.Describe() {
		require.Equal(t, config.Line{Key: line.Key, Value: texts[line.Key], Source: config.SourceFlag}, line)
	}
}

// TestSettingsAreDocumented compares the table of docs/configuration.md with the
// settings. With -update it rewrites the table, as make docs does.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- settings:begin -->\n", "<!-- settings:end -->"
	path := filepath.Join("..", "..", "docs", "configuration.md")
	content, err := os.ReadFile(path)
	require.NoError(t, err)

	before, rest, found := strings.Cut(string(content), begin)
	require.True(t, found, "%s has no line %q", path, strings.TrimSpace(begin))
	table, after, found := strings.Cut(rest, end)
	require.True(t, found, "%s has no line %q after that", path, end)

	if flag.Lookup("update").Value.String() == "true" {
		table = config.RenderMarkdown()
		require.NoError(t, os.WriteFile(path, []byte(before+begin+table+end+after), 0o644))
	}

	require.Equal(t, config.RenderMarkdown(), table, "make docs rewrites the table")
}
