package doctor

import (
	"fmt"
	"strings"
)

// String says what the grant lets whom do.
func (c Creator) String() string {
	if c.Kind == "database" && c.Privilege != "CREATE" {
		return c.role() + " may make temporary tables in the database " + c.Name
	}
	if c.Kind == "database" {
		return c.role() + " may create schemas in the database " + c.Name
	}
	return c.role() + " may create in the schema " + c.Name
}

// Remedy says what is wrong, and the statement that ends it with the role that may run it.
func (c Creator) Remedy() string {
	return fmt.Sprintf("%s, and the %s belongs to %s: run as that role `revoke %s on %s %s from %s`",
		c, c.Kind, c.Owner, strings.ToLower(c.Privilege), c.Kind, identifier(c.Name), c.grantee())
}

func (c Creator) role() string {
	if c.Role == "" {
		return "everybody"
	}
	return "the role " + c.Role
}

func (c Creator) grantee() string {
	if c.Role == "" {
		return "public"
	}
	return identifier(c.Role)
}

// String says what was made by whom.
func (p Planted) String() string {
	return fmt.Sprintf("the %s %s belongs to %s", p.Kind, p.Name, p.Owner)
}

// Remedy says what was made, and what to do with it.
func (p Planted) Remedy() string {
	return p.String() + " and can be run in the place of what the service means: look at what it does, then drop it or move it to another schema"
}

// identifier is a name as a statement has it.
func identifier(name string) string {
	plain := strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == "" && name != "" && (name[0] < '0' || name[0] > '9')
	if plain {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// creators is no more than a warning where nobody but the owner uses the tables.
func (f *facts) creators() verdict {
	return given(f.db.Trust, func(t Trust) verdict {
		if len(t.Creators) == 0 {
			return ok("nobody may but " + t.Owner + " and who is trusted anyway")
		}
		var found, remedies []string
		for _, c := range t.Creators {
			found = append(found, c.String())
			remedies = append(remedies, c.Remedy())
		}
		advice := strings.Join(remedies, "; ") + "."
		if t.Granted {
			return failed(list(found)).but(advice)
		}
		return warning(list(found)).but(advice)
	})
}

func (f *facts) planted() verdict {
	return given(f.db.Trust, func(t Trust) verdict {
		var found []string
		shadows := false
		for _, p := range t.Planted {
			text := p.String()
			if p.Shadows {
				text += " and has a name that the service uses"
			}
			found, shadows = append(found, text), shadows || p.Shadows
		}
		switch {
		case shadows:
			return failed(list(found))
		case len(found) > 0:
			return warning(list(found))
		}
		return ok("there is none")
	})
}
