package hub

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// License is what a model's card says. Fields that the card has not are empty.
type License struct {
	ID   string // "mit", "apache-2.0", or "other", whose name is the next field
	Name string
	Link string // an address, or the name of a file in the repository
}

// String is the licence in a few words, "not stated" where the card has none.
func (l License) String() string {
	id := l.ID
	if l.Name != "" && (id == "" || id == "other") {
		id = l.Name
	}
	switch {
	case id == "" && l.Link == "":
		return "not stated"
	case l.Link == "":
		return id
	}
	return strings.TrimSpace(fmt.Sprintf("%s (%s)", id, l.Link))
}

// LicenseOf reads the model's card, README.md, of a folder of this machine. It is empty where there
// is none, or where that states no licence.
func LicenseOf(dir string) License { return readLicense(dir) }

const maxCard = 64 << 10 // of what stands before the text

// readLicense reads the card of a folder. What cannot be read states nothing.
func readLicense(dir string) License {
	if dir == "" {
		return License{}
	}
	card, err := readUpTo(filepath.Join(dir, "README.md"), 16<<20)
	if err != nil {
		return License{}
	}
	return parseLicense(string(card))
}

// parseLicense reads the fields of a card that are about the licence. Only their lines
// come before the YAML reader: the rest is of any size and kind.
func parseLicense(card string) License {
	card = card[:min(len(card), maxCard)]
	card = strings.TrimPrefix(card, "\ufeff")
	card, ok := strings.CutPrefix(strings.ReplaceAll(card, "\r\n", "\n"), "---\n")
	if !ok {
		return License{}
	}
	var fields strings.Builder
	ours := false
	for line := range strings.Lines(card) {
		if strings.HasPrefix(line, "---") {
			break
		}
		// A field begins at the margin; a list may, too.
		if line != "" && !strings.ContainsAny(line[:1], " \t\n-#") {
			key, _, _ := strings.Cut(line, ":")
			ours = slices.Contains([]string{"license", "license_name", "license_link"}, key)
		}
		if ours && fields.Len()+len(line) <= 4<<10 {
			fields.WriteString(line)
		}
	}
	var v struct {
		License any `yaml:"license"`
		Name    any `yaml:"license_name"`
		Link    any `yaml:"license_link"`
	}
	if fields.Len() == 0 || yaml.Unmarshal([]byte(fields.String()), &v) != nil {
		return License{}
	}
	return License{words(v.License), words(v.Name), words(v.Link)}
}

// words is a field of a card as one line that a terminal can show.
func words(v any) string {
	var text string
	switch v := v.(type) {
	case nil:
	case []any:
		var all []string
		for _, one := range v {
			all = append(all, fmt.Sprint(one))
		}
		text = strings.Join(all, ", ")
	default:
		text = fmt.Sprint(v)
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || 0x202a <= r && r <= 0x202e || 0x2066 <= r && r <= 0x2069 {
			return -1
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), 200)], "")
}
