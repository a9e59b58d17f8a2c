package encoder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/output"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// loraKey is the metadata of a file of adapters that holds their configuration.
const loraKey = "lora"

// maxTargets is more than any model has linear layers: each is compared with each.
const maxTargets = 10_000

// loraConfig is it as JSON; r and lora_alpha are PEFT's names.
type loraConfig struct {
	Rank    int      `json:"r"`
	Alpha   float64  `json:"lora_alpha"`
	Targets []string `json:"target_modules"` // names of the weights themselves, or patterns
}

// SaveLoRA writes the adapters, without the model, to a safetensors file, with
// rank, alpha and targets as JSON in its metadata. An older file of adapters is replaced
// when the new one is complete; another file is never.
func (m *Model) SaveLoRA(path string) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	if m.lora == nil {
		return errNoAdapters
	}
	if err := output.Free(path, output.Kind{Name: "a file of adapters", Is: isLoRA}, true); err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	config, err := json.Marshal(loraConfig(*m.lora))
	if err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	var tensors []safetensors.Tensor
	for _, p := range m.Adapters() {
		tensors = append(tensors, safetensors.Tensor{Name: p.Name, Shape: p.Shape, Float32: p.Data})
	}
	sums, err := safetensors.Checksums(tensors)
	if err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	metadata := map[string]string{"format": "pt", loraKey: string(config), safetensors.ChecksumKey: sums}
	if err := safetensors.WriteFile(path, tensors, metadata); err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	return nil
}

func isLoRA(path string) bool {
	f, err := safetensors.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	_, ok := f.Metadata()[loraKey]
	return ok
}

// LoadLoRA gives the model the adapters that [Model.SaveLoRA] wrote of one of
// the same shape. They may be trained further. On an error the model is as it
// was. No other method may run meanwhile.
func (m *Model) LoadLoRA(path string) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	f, err := safetensors.Open(path)
	if err != nil {
		return fmt.Errorf("encoder: %w", err)
	}
	defer f.Close()
	if err := m.readLoRA(f); err != nil {
		return fmt.Errorf("encoder: %s: %w", path, err)
	}
	return nil
}

func (m *Model) readLoRA(f *safetensors.File) error {
	text, ok := f.Metadata()[loraKey]
	if !ok {
		return fmt.Errorf("no metadata %q: this is no file of adapters", loraKey)
	}
	cfg, err := parseLoRA([]byte(text))
	if err != nil {
		return err
	}
	if err := m.adapt(cfg); err != nil {
		return err
	}
	// The first version had no adapters for these.
	for _, p := range m.adaptable() {
		if ok, _ := path.Match("visual.attn_pool.attn.*_proj_weight", p.Name); ok && p.Adapter() != nil && !holds(f, p.Adapter()) {
			p.RemoveAdapter()
		}
	}
	if err := m.fillAdapters(f); err != nil {
		m.RemoveLoRA()
		return err
	}
	return nil
}

// holds reports whether any of an adapter is in a file.
func holds(f *safetensors.File, a *nn.LoRA) bool {
	return slices.ContainsFunc(a.Params(), func(p *nn.Param) bool {
		_, ok := f.Info(p.Name)
		return ok
	})
}

// parseLoRA reads the metadata; that it fits the model is checked later.
func parseLoRA(text []byte) (LoRA, error) {
	var cfg loraConfig
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	err := dec.Decode(&cfg)
	if err == nil && dec.More() {
		err = errors.New("more than one value")
	}
	switch {
	case err != nil:
		return LoRA{}, fmt.Errorf("metadata %q: %w", loraKey, err)
	case len(cfg.Targets) > maxTargets:
		return LoRA{}, fmt.Errorf("metadata %q: %d target_modules, want at most %d", loraKey, len(cfg.Targets), maxTargets)
	case cfg.Rank < 1 || !(cfg.Alpha > 0) || len(cfg.Targets) == 0:
		return LoRA{}, fmt.Errorf("metadata %q: r is %d, lora_alpha %g, target_modules %q: want all three", loraKey, cfg.Rank, cfg.Alpha, cfg.Targets)
	}
	return LoRA(cfg), nil
}

// fillAdapters reads the adapters. What is wrong with the file is listed in
// full, before memory is taken.
func (m *Model) fillAdapters(f *safetensors.File) error {
	var wrong []string
	names := make(map[string]bool)
	for _, p := range m.Adapters() {
		names[p.Name] = true
		info, ok := f.Info(p.Name)
		switch {
		case !ok:
			wrong = append(wrong, "missing "+p.Name)
		case !info.DType.Float() || !slices.Equal(info.Shape, p.Shape):
			wrong = append(wrong, fmt.Sprintf("%s is %s%v, want %s%v", p.Name, info.DType, info.Shape, tensorfile.F32, p.Shape))
		}
	}
	for _, name := range f.Names() {
		if !names[name] {
			wrong = append(wrong, "unexpected "+name)
		}
	}
	if wrong != nil {
		return fmt.Errorf("adapters do not fit the model: %s", strings.Join(wrong, "; "))
	}
	for _, p := range m.Adapters() {
		p.Data = make([]float32, p.Size())
		if err := f.Float32(p.Name, p.Data); err != nil {
			return err
		}
	}
	return nil
}
