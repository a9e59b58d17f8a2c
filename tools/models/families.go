package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
	"github.com/goclip/goclip/internal/checkpoint"
)

// imageTowers and textTowers say what families are, in the order of the table. A family that has none
// is an error, so that no new one is forgotten.
func imageTowers() [][2]string {
	return [][2]string{
		{"vit", "ViT: OpenAI, LAION, DataComp, DFN, MetaCLIP, CLIPA, CoCa"},
		{"resnet", "CLIP's ResNet"},
		{"siglip", "SigLIP, SigLIP 2"},
		{"naflex", "NaFlex, images of any shape"},
		{"pe_core", "PE-Core"},
		{"eva", "EVA-01, EVA-02-E"},
		{"eva02", "EVA-02"},
		{"timm_vit", "ViT under timm's names"},
		{"conv_stem_vit", "MobileCLIP-B's"},
		{"fastvit", "FastViT: MobileCLIP, MobileCLIP2"},
		{"convnext", "ConvNeXt"},
		{"vitamin", "ViTamin"},
		{"swin", "Swin"},
		{"gap_vit", "ViT without class token"},
		{"relpos_vit", "ViT with relative positions"},
	}
}

func textTowers() [][2]string {
	return [][2]string{
		{"transformer", "CLIP's, SigLIP's, MetaCLIP 2's"},
		{"coca", "CoCa's"},
		{"bert", "RoBERTa, XLM-R"},
		{"m2m_100", "NLLB"},
		{"t5", "mT5"},
		{"modernbert", "ModernBERT"},
		{"modern", "open_clip's modern text tower"},
	}
}

type member struct {
	name      string
	size      int64
	published bool
}

// families is the table of open_clip's configurations by their towers.
func families() (string, error) {
	weights := map[string]bool{}
	for _, t := range hub.Tags() {
		weights[t.Model] = true
	}
	images, texts := map[string][]member{}, map[string][]member{}
	names := encoder.ConfigNames()
	for _, name := range names {
		cfg, _ := encoder.ConfigByName(name)
		cost, err := cfg.Cost()
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		m := member{name, cost.Parameters, weights[name]}
		images[cfg.Vision.Family()] = append(images[cfg.Vision.Family()], m)
		texts[cfg.Text.Family()] = append(texts[cfg.Text.Family()], m)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| image tower | of open_clip's %d configurations | such as |\n|---|---|---|\n", len(names))
	if err := rows(&b, imageTowers(), images); err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "\n| text tower | configurations | such as |\n|---|---|---|\n")
	err := rows(&b, textTowers(), texts)
	return b.String(), err
}

func rows(b *strings.Builder, titles [][2]string, of map[string][]member) error {
	for _, t := range titles {
		if all := of[t[0]]; len(all) > 0 {
			fmt.Fprintf(b, "| %s | %d | %s |\n", t[1], len(all), examples(all))
		}
		delete(of, t[0])
	}
	for family := range of {
		return fmt.Errorf("the family %s has no line in the table", family)
	}
	return nil
}

// examples are the smallest, the middle and the largest, of those with published weights
// where there are such.
func examples(all []member) string {
	if some := slices.DeleteFunc(slices.Clone(all), func(m member) bool { return !m.published }); len(some) > 0 {
		all = some
	}
	slices.SortFunc(all, func(a, b member) int { return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, i := range []int{0, len(all) / 2, len(all) - 1} {
		if name := "`" + all[i].name + "`"; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// classes are those of transformers whose models load.
func classes() (string, error) {
	known := map[string]string{
		"clip": "CLIPModel, with CLIPForImageClassification and each tower alone", "siglip": "SiglipModel, or a tower of it",
		"siglip2": "Siglip2Model", "metaclip_2": "MetaClip2Model", "chinese_clip": "ChineseCLIPModel", "altclip": "AltCLIPModel",
		"vision-text-dual-encoder": "VisionTextDualEncoderModel", "clipseg": "CLIPSegModel", "align": "AlignModel",
		"blip": "BlipModel, BlipForImageTextRetrieval", "blip-2": "Blip2ForImageTextRetrieval", "tipsv2": "Tipsv2Model",
	}
	var names []string
	for _, t := range checkpoint.TransformersTypes() {
		if strings.HasSuffix(t, "_model") { // a tower alone
			continue
		}
		name, ok := known[t]
		if !ok {
			return "", fmt.Errorf("transformers' model_type %q has no name in the table", t)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return "Of transformers: " + strings.Join(names, "; ") + ".\n", nil
}
