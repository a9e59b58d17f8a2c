package checkpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const adapterConfigFile = "adapter_config.json"

// peftConfig is what of an adapter_config.json of PEFT counts once the tensors are
// there: which modules have adapters, and of which rank, the tensors say.
type peftConfig struct {
	base     string // base_model_name_or_path
	alpha    float64
	patterns []alphaPattern // that come before alpha, the first that matches
	rsLoRA   bool           // the scale is alpha/√r instead of alpha/r
	dora     bool
}

type alphaPattern struct {
	module *regexp.Regexp
	alpha  float64
}

// parsePEFT reads an adapter_config.json. What changes the sum W + s·B·A in ways that
// are not known here is refused by name.
func parsePEFT(text []byte) (peftConfig, error) {
	o := parseObject(text)
	if kind := value(o, "peft_type", "LORA"); kind != "LORA" {
		o.fail("peft_type is %q, which is not supported; known is LORA", kind)
	}
	c := peftConfig{
		base: value(o, "base_model_name_or_path", ""), alpha: value(o, "lora_alpha", 8.0),
		rsLoRA: value(o, "use_rslora", false), dora: value(o, "use_dora", false),
	}
	for _, key := range []string{"fan_in_fan_out", "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication", "velora_config"} {
		o.only(key, "false", "{}", "[]")
	}
	o.only("loftq_config", "{}")
	// Of other ways to begin PEFT changes the base's weights as it reads it.
	o.only("init_lora_weights", "true", "false", `"gaussian"`, `"orthogonal"`)
	patterns := o.object("alpha_pattern")
	for key := range patterns.fields {
		// As PEFT asks: a module of that name, or whose name ends with it.
		module, err := regexp.Compile(`^(.*\.)?(` + key + `)$`)
		if err != nil {
			o.fail("alpha_pattern: %v", err)
			continue
		}
		c.patterns = append(c.patterns, alphaPattern{module, value(patterns, key, c.alpha)})
	}
	slices.SortFunc(c.patterns, func(a, b alphaPattern) int { return strings.Compare(a.module.String(), b.module.String()) })
	for _, a := range append(c.patterns, alphaPattern{nil, c.alpha}) {
		if !finite(a.alpha) || math.Abs(a.alpha) > 1e9 {
			o.fail("lora_alpha is %g, want a number up to 1e9", a.alpha)
		}
	}
	return c, o.err()
}

// scale is what a module's B·A is multiplied by.
func (c *peftConfig) scale(module string, rank int) float32 {
	alpha := c.alpha
	for _, p := range c.patterns {
		if p.module.MatchString(module) {
			alpha = p.alpha
			break
		}
	}
	if c.rsLoRA {
		return float32(alpha / math.Sqrt(float64(rank)))
	}
	return float32(alpha / float64(rank))
}

// baseFolder finds the model that an adapter in dir changes: a folder of its name beside
// dir or in it. No other place is looked at, since the name comes with the adapter.
func (c *peftConfig) baseFolder(dir string) (string, error) {
	name := filepath.Base(filepath.FromSlash(strings.TrimRight(c.base, `/\`)))
	for _, at := range []string{filepath.Dir(filepath.Clean(dir)), dir} {
		path := filepath.Join(at, name)
		if info, err := os.Stat(path); err == nil && info.IsDir() && name != "." && filepath.IsLocal(name) && path != filepath.Clean(dir) {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is of an adapter to the model %q, which is not here: put that model's files beside the adapter's, or its folder, as %s, beside this one",
		adapterConfigFile, c.base, name)
}
