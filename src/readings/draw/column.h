// The two halves of a figure: the column of the residual stream, and the insets that look into its
// parts.
#pragma once

#include <vector>

#include "readings/draw/anatomy.h"
#include "readings/draw/canvas.h"

namespace ashlar {

/// Where the column's parts came to stand, for the lines to the insets.
struct Placed {
  double width = 0, height = 0;
  double right = 0;                    // of the panels
  std::vector<double> mixer_y, ffn_y;  // middle of each variant's card
  double card_right = 0;
};

/// Paints the column with its top left corner at (x, y).
Placed paint_column(Canvas& canvas, const Anatomy& anatomy, double x, double y);

/// One look inside: of a mixer, a feed-forward, an expert layer.
struct Inset {
  enum class What { mixer, dense, experts, mtp } what = What::mixer;
  std::vector<size_t> variants;  // indices into the anatomy's mixers or feed-forwards
  bool of_mixer() const { return what == What::mixer; }
};

/// In the order in which they are shown, from the top. Variants of like form share one.
std::vector<Inset> insets_of(const Anatomy& anatomy);

/// Paints an inset, as wide as the canvas's look says, with its top left corner at (x, y); returns
/// its height.
double paint_inset(Canvas& canvas, const Anatomy& anatomy, const Inset& inset, double x, double y);

/// The content of the insets, without frame and title; each returns its height.
double paint_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y);
double paint_latent_attention(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y);
double paint_gated_delta_net(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y);
double paint_experts(Canvas& c, const Anatomy& a, const Inset& inset, double x, double y);
double paint_mtp(Canvas& c, const Anatomy& a, double x, double y);

}  // namespace ashlar
