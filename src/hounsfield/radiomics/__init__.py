"""Features of a lesion by the definitions of the Image Biomarker Standardisation Initiative (IBSI). In: an image and a
mask (z, y, x); out: named numbers, and the reason for each that is missing.

`extract.features` does one lesion, `table.feature_table` all cases of a table. The families (`shape`, `first_order`,
`histogram`, `glcm`, `glrlm`, `glszm`, `gldzm`, `ngtdm`, `gldm`) are a file each and read like the manual's sections;
`processing` brings image and mask into the form that they measure. Manual: Zwanenburg et al., arXiv:1612.07003;
consensus: Radiology 2020;295:328.
"""
