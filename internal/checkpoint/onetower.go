package checkpoint

const logitScale = "logit_scale"

// withoutScale is the Spec of a checkpoint of one tower, or of one that was trained
// towards the features of another model: it has no logit_scale and gets CLIP's initial one.
func withoutScale(s Spec) Spec {
	s.InitLogitScale, s.NoLogitScale = clipLogitScale, true
	return s
}
