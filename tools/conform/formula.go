package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/tools/conform/internal/formula"
)

// formulaCases are the cases of a model whose weights and pixels are made here: each
// writes a tree of its own, which is then compared like a stored one.
func (m *modelFolder) formulaCases() []testCase {
	var cases []testCase
	id := "checkpoints/" + m.name
	add := func(what string, run func(ctx context.Context, r *report, made *modelFolder, weights string) error) {
		cases = append(cases, testCase{m.group, strings.TrimSpace(id + " " + what), func(ctx context.Context, r *report) error {
			dir, err := os.MkdirTemp("", "goclip-conform")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			made := &modelFolder{dir, m.name, m.group, m.entry}
			weights, err := m.generate(made)
			if err != nil {
				return err
			}
			return run(ctx, r, made, weights)
		}})
	}
	add("", func(ctx context.Context, r *report, made *modelFolder, weights string) error {
		return compareModel(ctx, r, weights, made.activations(""))
	})
	if stages := filepath.Join(m.root, "stages", m.name+".safetensors"); exists(stages) {
		add("stages", func(_ context.Context, r *report, made *modelFolder, weights string) error {
			return compareStages(r, weights, stages, made.activations(""))
		})
	}
	for _, file := range list(m.checkpoint()) {
		if file != openCLIPConfig && !document(file) {
			cases = append(cases, broken(m.group, id+"/"+file, errors.New("no case uses this file")))
		}
	}
	return cases
}

const openCLIPConfig = "open_clip_config.json"

// generate writes the checkpoint and the activations that m leaves to the formula, and
// returns the path of the weights.
func (m *modelFolder) generate(to *modelFolder) (weights string, err error) {
	config, err := os.ReadFile(filepath.Join(m.checkpoint(), openCLIPConfig))
	if err != nil {
		return "", err
	}
	for _, dir := range []string{to.checkpoint(), filepath.Join(to.root, "activations")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(filepath.Join(to.checkpoint(), openCLIPConfig), config, 0o644); err != nil {
		return "", err
	}
	all, err := m.tensors(config)
	if err != nil {
		return "", err
	}
	weights = filepath.Join(to.checkpoint(), "open_clip_model.safetensors")
	if err := safetensors.WriteFile(weights, all, nil); err != nil {
		return "", err
	}
	all, err = readAll(m.activations(""))
	if err != nil {
		return "", err
	}
	if shape := m.entry.Pixels.Shape; shape != nil {
		all = append(all, byFormula("pixel_values", shape, m.entry.Seed))
	}
	return weights, safetensors.WriteFile(to.activations(""), all, nil)
}

// tensors makes the weights of an open_clip checkpoint. Their names and shapes are those
// of goclip's towers, whose number the index knows too; batch norms have a counter
// besides, which is no parameter here.
func (m *modelFolder) tensors(config []byte) ([]safetensors.Tensor, error) {
	params, custom, err := openCLIPTensors(config, m.entry.Config.Vocab)
	if err != nil {
		return nil, err
	}
	var all []safetensors.Tensor
	numbers := 0
	for _, p := range params {
		name := p.Name
		if custom && !strings.HasPrefix(name, "visual.") && !strings.HasPrefix(name, "logit_") && !strings.HasPrefix(name, "text_decoder.") {
			name = "text." + name
		}
		all = append(all, byFormula(name, p.Shape, m.entry.Seed))
		numbers += len(all[len(all)-1].Float32)
		if stem, ok := strings.CutSuffix(name, ".running_var"); ok {
			all = append(all, safetensors.Tensor{Name: stem + ".num_batches_tracked", DType: "I64", Raw: make([]byte, 8)})
			numbers++
		}
	}
	if len(all) != m.entry.Tensors || numbers != m.entry.Parameters {
		return nil, fmt.Errorf("goclip's towers have %d tensors with %d numbers, the reference's %d with %d",
			len(all), numbers, m.entry.Tensors, m.entry.Parameters)
	}
	return all, nil
}

func byFormula(name string, shape []int, seed uint64) safetensors.Tensor {
	return safetensors.Tensor{Name: name, Shape: shape, Float32: formula.Values(name, shape, seed)}
}

// readAll reads a file of tensors whole.
func readAll(path string) ([]safetensors.Tensor, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		raw, err := f.Bytes(name)
		if err != nil {
			return nil, err
		}
		all = append(all, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Raw: raw})
	}
	return all, nil
}

// customText reports whether open_clip makes a CustomTextCLIP of a configuration, which
// has "text." before the names of its text tower.
func customText(config []byte) bool {
	var c struct {
		Model struct {
			Custom   bool            `json:"custom_text"`
			Variable json.RawMessage `json:"variable_text"`
			Text     struct {
				HF   string `json:"hf_model_name"`
				Arch string `json:"text_arch"`
			} `json:"text_cfg"`
		} `json:"model_cfg"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return false // which whoever reads the configuration has said
	}
	variable := c.Model.Variable != nil && !slices.Contains([]string{"null", "false"}, string(c.Model.Variable))
	return c.Model.Custom || c.Model.Text.HF != "" || c.Model.Text.Arch == "modern" || variable
}
