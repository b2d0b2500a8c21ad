package main_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	program "github.com/the-eye-events/the-eye/cmd/theeye"
	"github.com/the-eye-events/the-eye/internal/config"
)

// composeService holds the members of a service in compose.yaml that the tests check.
type composeService struct {
	Image       string
	Build       struct{ Args map[string]string }
	Command     []string
	Environment map[string]string
	Ports       []string
	Volumes     []string
	Healthcheck struct {
		Test        []string
		StartPeriod time.Duration `yaml:"start_period"`
	}
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
	ReadOnly    bool                                  `yaml:"read_only"`
	CapDrop     []string                              `yaml:"cap_drop"`
	SecurityOpt []string                              `yaml:"security_opt"`
	StopGrace   time.Duration                         `yaml:"stop_grace_period"`
}

// readCompose reads compose.yaml as Docker does when no variable is set.
func readCompose(t *testing.T) map[string]composeService {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "compose.yaml"))
	require.NoError(t, err)
	filled := regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(string(content), "$1")
	require.NotContains(t, filled, "$", "every variable needs a default")
	var file struct {
		Services map[string]composeService
		Volumes  map[string]any
	}
	require.NoError(t, yaml.Unmarshal([]byte(filled), &file))
	require.Contains(t, file.Volumes, "postgres")
	return file.Services
}

// requireUnderstood requires that the program accepts a command line.
func requireUnderstood(t *testing.T, words []string) {
	t.Helper()
	command, rest, err := program.Root().Find(words)
	require.NoError(t, err, words)
	require.True(t, command.Runnable() && !command.HasSubCommands(), "%v names no command", words)
	require.NoError(t, command.ParseFlags(rest), words)
	require.NoError(t, command.ValidateArgs(command.Flags().Args()), words)
}

func TestComposeGivesTheServiceWhatItKnows(t *testing.T) {
	t.Parallel()
	services := readCompose(t)
	require.Len(t, services, 3)
	for _, name := range []string{"theeye", "migrate"} {
		service := services[name]
		environ := make([]string, 0, len(service.Environment))
		for variable, value := range service.Environment {
			require.Truef(t, strings.HasPrefix(variable, "THEEYE_"), "%s is not a setting", variable)
			environ = append(environ, variable+"="+value)
		}

		settings, err := config.Load(config.Sources{Environ: environ})
		require.NoError(t, err)
		require.NoError(t, settings.RequireDatabase())
		require.Contains(t, settings.Database.URL.Reveal(), "@postgres:5432/theeye")
		if len(service.Command) == 0 {
			service.Command = []string{"serve"} // the image's
		}

		requireUnderstood(t, service.Command)
		require.True(t, service.ReadOnly)
		require.Equal(t, []string{"ALL"}, service.CapDrop)
		require.Equal(t, []string{"no-new-privileges:true"}, service.SecurityOpt)
		require.Contains(t, service.Build.Args, "VERSION")
		require.Contains(t, service.Build.Args, "REVISION")
	}

	require.Equal(t, services["theeye"].Image, services["migrate"].Image)
}

func TestComposeFitsTheDefaults(t *testing.T) {
	t.Parallel()
	services := readCompose(t)
	service := services["theeye"]
	defaults, err := config.Load(config.Sources{})
	require.NoError(t, err)
	ports := make([]string, 0, 2)
	for _, listen := range []string{defaults.HTTP.Listen, defaults.Ops.Listen} {
		_, port, err := net.SplitHostPort(listen)
		require.NoError(t, err)
		ports = append(ports, "127.0.0.1:"+port+":"+port)
	}

	require.Equal(t, ports, service.Ports, "to this machine alone")
	require.Empty(t, services["migrate"].Ports)
	require.Empty(t, services["postgres"].Ports)
	require.Greater(t, service.StopGrace, defaults.Drain.Timeout)
	require.Greater(t, service.Healthcheck.StartPeriod, defaults.Database.StartupTimeout)
	probe := service.Healthcheck.Test
	require.Equal(t, []string{"CMD", "/theeye"}, probe[:2], "the image has no shell")
	requireUnderstood(t, probe[2:])
}

func TestComposeStartsInOrderAndPins(t *testing.T) {
	t.Parallel()
	services := readCompose(t)
	require.Equal(t, "service_completed_successfully", services["theeye"].DependsOn["migrate"].Condition)
	require.Equal(t, "service_healthy", services["theeye"].DependsOn["postgres"].Condition)
	require.Equal(t, "service_healthy", services["migrate"].DependsOn["postgres"].Condition)
	postgres := services["postgres"]
	require.Regexp(t, `^postgres:\d+\.\d+-alpine\d+\.\d+@sha256:[0-9a-f]{64}$`, postgres.Image)
	// From 18 on the image keeps its data below this folder, not in data/.
	require.Equal(t, []string{"postgres:/var/lib/postgresql"}, postgres.Volumes)
	require.NotEmpty(t, postgres.Healthcheck.Test)
}

// The program must also accept the commands in the documents.
func TestDocumentedContainerCommandsAreUnderstood(t *testing.T) {
	t.Parallel()
	found := 0
	for _, name := range []string{"compose.yaml", "README.md", filepath.Join("docs", "image.md")} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		require.NoError(t, err)
		for _, line := range regexp.MustCompile(`docker compose run --rm theeye ([^\n#]*)`).FindAllStringSubmatch(string(text), -1) {
			requireUnderstood(t, strings.Fields(line[1]))
			found++
		}
	}

	require.GreaterOrEqual(t, found, 6)
}
