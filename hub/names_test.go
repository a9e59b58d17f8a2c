package hub_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/hub"
)

func TestNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"models/vit", "openai"} {
		if err := os.MkdirAll(filepath.FromSlash(dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]hub.Source{
		"timm/ViT-B-16-SigLIP2":                                {Repo: "timm/ViT-B-16-SigLIP2", Revision: "main"},
		"timm/ViT-B-16-SigLIP2@v1.0":                           {Repo: "timm/ViT-B-16-SigLIP2", Revision: "v1.0"},
		"timm/ViT-B-16-SigLIP2@refs/pr/3":                      {Repo: "timm/ViT-B-16-SigLIP2", Revision: "refs/pr/3"},
		"hf-hub:timm/ViT-B-16-SigLIP2":                         {Repo: "timm/ViT-B-16-SigLIP2", Revision: "main", OpenCLIP: true},
		"hf-hub:gpt2@main":                                     {Repo: "gpt2", Revision: "main", OpenCLIP: true},
		"hf-hub:openai/clip-vit-base-patch32":                  {Repo: "openai/clip-vit-base-patch32", Revision: "main", OpenCLIP: true},
		"ViT-B-32/laion2b_s34b_b79k":                           {Repo: "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", Revision: "main", OpenCLIP: true},
		"ViT-B-32__laion2b-s34b-b79k":                          {Repo: "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", Revision: "main", OpenCLIP: true},
		"ViT-B-32:laion2b_s34b_b79k@0.1":                       {Repo: "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", Revision: "0.1", OpenCLIP: true},
		"ViT-B/32/openai":                                      {Repo: "timm/vit_base_patch32_clip_224.openai", Revision: "main", OpenCLIP: true},
		"ViT-B-32-quickgelu__openai":                           {Repo: "timm/vit_base_patch32_clip_224.openai", Revision: "main", OpenCLIP: true},
		"ViT-B-16-SigLIP2__webli":                              {Repo: "timm/ViT-B-16-SigLIP2", Revision: "main", OpenCLIP: true},
		"XLM-Roberta-Large-ViT-H-14__frozen_laion5b_s13b_b90k": {Repo: "laion/CLIP-ViT-H-14-frozen-xlm-roberta-large-laion5B-s13B-b90k", Revision: "main", OpenCLIP: true},
		"nllb-clip-base-siglip__mrl":                           {Repo: "visheratin/nllb-siglip-mrl-base", Revision: "main", OpenCLIP: true},

		"XLM-Roberta-Large-Vit-B-16Plus": {Repo: "M-CLIP/XLM-Roberta-Large-Vit-B-16Plus", Revision: "main", Image: "ViT-B-16-plus-240/laion400m_e32"},
		"LABSE-Vit-L-14":                 {Repo: "M-CLIP/LABSE-Vit-L-14", Revision: "main", Image: "ViT-L-14/openai"},
		"M-CLIP/LABSE-Vit-L-14":          {Repo: "M-CLIP/LABSE-Vit-L-14", Revision: "main"},

		"models/vit":                   {Path: "models/vit"},
		"models/vti":                   {Path: "models/vti"}, // models is a folder here
		"openai/clip-vit-base-patch32": {Path: "openai/clip-vit-base-patch32"},
		"local-dir:models/vit":         {Path: "models/vit"},
		"model":                        {Path: "model"},
		"./a/b":                        {Path: "./a/b"},
		"../a":                         {Path: "../a"},
		"/a/b":                         {Path: "/a/b"},
		"a/b/c":                        {Path: "a/b/c"},
		"a/b/":                         {Path: "a/b/"},
		"a/b.pt":                       {Path: "a/b.pt"},
		"a/model.safetensors":          {Path: "a/model.safetensors"},
		`a\b`:                          {Path: `a\b`},
		"a/..":                         {Path: "a/.."},
		"a/b@../c":                     {Path: "a/b@../c"},
		"a/b@":                         {Path: "a/b@"},
		"ä/b":                          {Path: "ä/b"},
	} {
		got, err := hub.Resolve(name)
		if tag := got.Tag; tag != nil {
			if got.Tag = nil; tag.Repo != got.Repo {
				t.Errorf("%s: the tag's repository is %s, want %s", name, tag.Repo, got.Repo)
			}
		}
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"", "hf-hub:", "hf-hub:a/b/c", "hf-hub:../x", "hf-hub:a--b/c", "hf-hub:a/b@../../x", "hf-hub:a/b.git", "hf-hub:a/b@x.lock", "hf-hub:" + strings.Repeat("a", 97)} {
		if s, err := hub.Resolve(name); err == nil {
			t.Errorf("%q: got %+v, want an error", name, s)
		}
	}
}

// TestTags: every tag is a name, which leads back to it; so does Immich's form.
func TestTags(t *testing.T) {
	t.Chdir(t.TempDir())
	tags := hub.Tags()
	if len(tags) != 196 {
		t.Errorf("%d tags, want open_clip 3.3.0's 196", len(tags))
	}
	with := 0
	for _, tag := range tags {
		for _, name := range []string{tag.Name(), tag.Model + "__" + strings.ReplaceAll(tag.Tag, "_", "-")} {
			s, err := hub.Resolve(name)
			if err != nil || s.Tag == nil || *s.Tag != tag {
				t.Errorf("%s: got %+v, %v, want %+v", name, s, err, tag)
			}
		}
		if tag.URL != "" {
			with++
			if sum := tag.SHA256(); (sum == "") != strings.Contains(tag.URL, "fbaipublicfiles") {
				t.Errorf("%s: the hash in %s begins with %q", tag.Name(), tag.URL, sum)
			}
		}
		if tag.File != "" && tag.File != "pytorch_model.bin" || strings.Count(tag.Repo, "/") != 1 {
			t.Errorf("%s: the file %q of %q", tag.Name(), tag.File, tag.Repo)
		}
	}
	if with != 52 {
		t.Errorf("%d tags have an address, want 52", with)
	}
}

// TestImmichsNames: the models that Immich offers its users, each by its name there.
func TestImmichsNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for model, tags := range map[string]string{
		"RN101": "openai yfcc15m", "RN50": "cc12m openai yfcc15m", "RN50x16": "openai", "RN50x4": "openai", "RN50x64": "openai",
		"ViT-B-16-SigLIP-256": "webli", "ViT-B-16-SigLIP-384": "webli", "ViT-B-16-SigLIP-512": "webli", "ViT-B-16-SigLIP-i18n-256": "webli",
		"ViT-B-16-SigLIP": "webli", "ViT-B-16-plus-240": "laion400m_e31 laion400m_e32", "ViT-B-16": "laion400m_e31 laion400m_e32 openai",
		"ViT-B-32": "laion2b-s34b-b79k laion2b_e16 laion400m_e31 laion400m_e32 openai", "ViT-H-14-378-quickgelu": "dfn5b", "ViT-H-14-quickgelu": "dfn5b",
		"ViT-H-14": "laion2b-s32b-b79k", "ViT-L-14-336": "openai", "ViT-L-14-quickgelu": "dfn2b",
		"ViT-L-14": "laion2b-s32b-b82k laion400m_e31 laion400m_e32 openai", "ViT-L-16-SigLIP-256": "webli", "ViT-L-16-SigLIP-384": "webli",
		"ViT-SO400M-14-SigLIP-384": "webli", "ViT-B-32-SigLIP2-256": "webli", "ViT-B-16-SigLIP2": "webli", "ViT-L-16-SigLIP2-256": "webli",
		"ViT-L-16-SigLIP2-384": "webli", "ViT-L-16-SigLIP2-512": "webli", "ViT-SO400M-14-SigLIP2": "webli", "ViT-SO400M-14-SigLIP2-378": "webli",
		"ViT-SO400M-16-SigLIP2-256": "webli", "ViT-SO400M-16-SigLIP2-384": "webli", "ViT-SO400M-16-SigLIP2-512": "webli",
		"ViT-gopt-16-SigLIP2-256": "webli", "ViT-gopt-16-SigLIP2-384": "webli", "nllb-clip-base-siglip": "mrl v1", "nllb-clip-large-siglip": "mrl v1",
		"XLM-Roberta-Base-ViT-B-32": "laion5b_s13b_b90k", "XLM-Roberta-Large-ViT-H-14": "frozen_laion5b_s13b_b90k",
	} {
		for _, tag := range strings.Fields(tags) {
			if s, err := hub.Resolve(model + "__" + tag); err != nil || s.Tag == nil || !strings.EqualFold(s.Tag.Model, model) || s.Tag.Tag != strings.ReplaceAll(tag, "-", "_") {
				t.Errorf("%s__%s: got %+v, %v", model, tag, s, err)
			}
		}
	}
	for _, name := range []string{"LABSE-Vit-L-14", "XLM-Roberta-Large-Vit-B-32", "XLM-Roberta-Large-Vit-B-16Plus", "XLM-Roberta-Large-Vit-L-14"} {
		s, err := hub.Resolve(name)
		image, err2 := hub.Resolve(s.Image)
		if err != nil || err2 != nil || s.Repo != "M-CLIP/"+name || image.Tag == nil {
			t.Errorf("%s: got %+v, %v, with the images of %+v, %v", name, s, err, image, err2)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("hf-hub:timm/ViT-B-16-SigLIP2@main")
	f.Add("ViT-B-32__openai")
	f.Add("../a@b")
	f.Fuzz(func(t *testing.T, name string) {
		s, err := hub.Resolve(name)
		if err != nil || s.Path != "" {
			return
		}
		for _, part := range []string{s.Repo, s.Revision} {
			if part == "" || strings.Contains(part, "..") || strings.HasPrefix(part, "/") || strings.ContainsAny(part, "\\:\x00 ") {
				t.Errorf("%q: %q may become a path", name, part)
			}
		}
	})
}
