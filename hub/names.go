package hub

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
)

// Source is where the files of a model are.
type Source struct {
	// Path is of this machine. The other fields are empty then.
	Path string
	// Repo and Revision are the hub's: "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "main".
	Repo, Revision string
	// OpenCLIP tells that the name is open_clip's, whose files then go before others.
	OpenCLIP bool
	// Tag is open_clip's, where the name is of a model and a tag.
	Tag *Tag
}

// Tag is one of open_clip's pretrained models.
type Tag struct {
	Model, Tag string // "ViT-B-32", "laion2b_s34b_b79k"
	Repo, File string // on the hub; without File open_clip's usual names of weights count
	URL        string // where the weights were before they were on the hub, or empty
	// Tokenizer is the repository of the tokenizer's files, where it is not CLIP's own.
	Tokenizer string
	// QuickGELU tells that the model was trained with that activation. open_clip computes
	// with the other one where the tag is used with a model whose name does not end in
	// -quickgelu, and warns; here the checkpoint's own configuration counts.
	QuickGELU bool
}

//go:embed openclip_tags.txt
var openCLIPTags string

// Tags lists the pretrained models of open_clip 3.3.0.
func Tags() []Tag {
	var tags []Tag
	for line := range strings.Lines(openCLIPTags) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		t := Tag{Model: f[0], Tag: f[1], Repo: f[2], URL: strings.Trim(f[3], "-"), Tokenizer: strings.Trim(f[4], "-"),
			QuickGELU: slices.Contains(f[5:], "quickgelu")}
		if parts := strings.SplitN(t.Repo, "/", 3); len(parts) == 3 {
			t.Repo, t.File = parts[0]+"/"+parts[1], parts[2]
		}
		tags = append(tags, t)
	}
	return tags
}

// Name is the tag as a name of a model.
func (t Tag) Name() string { return t.Model + "/" + t.Tag }

// Architecture names the configuration that the weights were trained with, for
// [encoder.ConfigByName].
func (t Tag) Architecture() string {
	if t.QuickGELU && !strings.HasSuffix(t.Model, quickGELU) {
		if _, ok := encoder.ConfigByName(t.Model + quickGELU); ok {
			return t.Model + quickGELU
		}
	}
	return t.Model
}

const quickGELU = "-quickgelu"

// SHA256 is how the hash of the file at URL begins, where the URL says it.
func (t Tag) SHA256() string {
	parts := strings.Split(t.URL, "/")
	file := parts[len(parts)-1]
	prefix := ""
	switch {
	case strings.Contains(t.URL, "openaipublic") && len(parts) > 1:
		prefix = parts[len(parts)-2]
	case strings.Contains(t.URL, "mlfoundations"):
		stem := strings.TrimSuffix(file, filepath.Ext(file))
		prefix = stem[strings.LastIndex(stem, "-")+1:]
	}
	if !hexadecimal.MatchString(prefix) {
		return ""
	}
	return prefix
}

var (
	hexadecimal = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
	commitHash  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	repoName    = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?(/[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?)?$`)
	revision    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$`)
)

// Resolve says what a name stands for, without the network: what exists on this machine is
// a path, and so is what cannot be a name. A folder's name before a slash makes a path of
// what follows it, too, so that a mistyped path asks no server; "hf-hub:" before it
// makes a name.
func Resolve(name string) (Source, error) {
	if name == "" {
		return Source{}, fmt.Errorf("hub: the model's name is empty")
	}
	if path, ok := strings.CutPrefix(name, "local-dir:"); ok {
		return Source{Path: path}, nil
	}
	if _, err := os.Lstat(name); err == nil {
		return Source{Path: name}, nil
	}
	base, rev, hasRev := strings.Cut(name, "@")
	if !hasRev {
		rev = "main"
	}
	if repo, ok := strings.CutPrefix(base, "hf-hub:"); ok {
		s := Source{Repo: repo, Revision: rev, OpenCLIP: true}
		if err := s.check(); err != nil {
			return Source{}, fmt.Errorf("hub: %q: %w", name, err)
		}
		return s, nil
	}
	if t := findTag(base); t != nil {
		s := Source{Repo: t.Repo, Revision: rev, OpenCLIP: true, Tag: t}
		if err := s.check(); err != nil {
			return Source{}, fmt.Errorf("hub: %q: %w", name, err)
		}
		return s, nil
	}
	s := Source{Repo: base, Revision: rev}
	if s.check() != nil || isPath(base) {
		return Source{Path: name}, nil
	}
	return s, nil
}

// check refuses what huggingface_hub refuses as a repository, and revisions that could
// leave their folder.
func (s Source) check() error {
	switch {
	case len(s.Repo) > 96 || !repoName.MatchString(s.Repo) || strings.Contains(s.Repo, "--") ||
		strings.Contains(s.Repo, "..") || strings.HasSuffix(s.Repo, ".git"):
		return fmt.Errorf("%q is not the name of a repository, as in openai/clip-vit-base-patch32", s.Repo)
	case len(s.Revision) > 200 || !revision.MatchString(s.Revision) || strings.Contains(s.Revision, "..") || strings.HasSuffix(s.Revision, ".lock"):
		return fmt.Errorf("%q is not a branch, a tag or a commit", s.Revision)
	}
	return nil
}

// isPath reports whether a name that could be a repository's is rather a path.
func isPath(name string) bool {
	owner, _, slash := strings.Cut(name, "/")
	if !slash {
		return true
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".json":
		return true
	}
	info, err := os.Stat(owner)
	return err == nil && info.IsDir()
}

// findTag finds a model of open_clip's with its tag. Between them stands a slash, two
// underscores as in Immich, or a colon as in open_clip's own lists. The case of the model
// does not matter, since Immich writes some in its own, nor do - and _ in the tag, as
// in open_clip.
func findTag(name string) *Tag {
	for _, between := range []string{"__", "/", ":"} {
		i := strings.LastIndex(name, between)
		if i < 0 {
			continue
		}
		model := strings.ReplaceAll(name[:i], "/", "-")
		tag := strings.ReplaceAll(strings.ToLower(name[i+len(between):]), "-", "_")
		for _, t := range Tags() {
			if strings.EqualFold(t.Model, model) && t.Tag == tag {
				return &t
			}
		}
	}
	return nil
}
