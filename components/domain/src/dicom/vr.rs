//! Value representations (PS3.5 6.2).

/// How the bytes of a value are to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Vr {
    Ae, As, At, Cs, Da, Ds, Dt, Fd, Fl, Is, Lo, Lt, Ob, Od, Of, Ol, Ov, Ow, Pn, Sh, Sl, Sq, Ss, St, Sv, Tm,
    Uc, Ui, Ul, Un, Ur, Us, Ut, Uv,
}

impl Vr {
    #[rustfmt::skip]
    pub(crate) const ALL: [Self; 34] = [
        Self::Ae, Self::As, Self::At, Self::Cs, Self::Da, Self::Ds, Self::Dt, Self::Fd, Self::Fl, Self::Is,
        Self::Lo, Self::Lt, Self::Ob, Self::Od, Self::Of, Self::Ol, Self::Ov, Self::Ow, Self::Pn, Self::Sh,
        Self::Sl, Self::Sq, Self::Ss, Self::St, Self::Sv, Self::Tm, Self::Uc, Self::Ui, Self::Ul, Self::Un,
        Self::Ur, Self::Us, Self::Ut, Self::Uv,
    ];

    pub(crate) fn from_code(code: [u8; 2]) -> Option<Self> {
        Self::ALL.into_iter().find(|vr| vr.code().as_bytes() == code)
    }

    #[rustfmt::skip]
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Ae => "AE", Self::As => "AS", Self::At => "AT", Self::Cs => "CS", Self::Da => "DA",
            Self::Ds => "DS", Self::Dt => "DT", Self::Fd => "FD", Self::Fl => "FL", Self::Is => "IS",
            Self::Lo => "LO", Self::Lt => "LT", Self::Ob => "OB", Self::Od => "OD", Self::Of => "OF",
            Self::Ol => "OL", Self::Ov => "OV", Self::Ow => "OW", Self::Pn => "PN", Self::Sh => "SH",
            Self::Sl => "SL", Self::Sq => "SQ", Self::Ss => "SS", Self::St => "ST", Self::Sv => "SV",
            Self::Tm => "TM", Self::Uc => "UC", Self::Ui => "UI", Self::Ul => "UL", Self::Un => "UN",
            Self::Ur => "UR", Self::Us => "US", Self::Ut => "UT", Self::Uv => "UV",
        }
    }

    /// Written in explicit VR with two reserved bytes and a length of four (PS3.5 7.1.2).
    #[rustfmt::skip]
    pub(crate) const fn has_long_length(self) -> bool {
        matches!(
            self,
            Self::Ob | Self::Od | Self::Of | Self::Ol | Self::Ov | Self::Ow | Self::Sq | Self::Sv | Self::Uc
                | Self::Un | Self::Ur | Self::Ut | Self::Uv
        )
    }

    /// Bytes that mean nothing to a reader of text: what a long value of this kind holds is bulk data.
    pub(crate) const fn is_binary(self) -> bool {
        matches!(self, Self::Ob | Self::Od | Self::Of | Self::Ol | Self::Ov | Self::Ow | Self::Un)
    }

    /// Written in the Specific Character Set (PS3.5 6.1.2.3); the other strings are ASCII.
    pub(crate) const fn follows_character_set(self) -> bool {
        matches!(self, Self::Lo | Self::Lt | Self::Pn | Self::Sh | Self::St | Self::Uc | Self::Ut)
    }

    /// Prose: one value, in which a backslash is a backslash and lines may break.
    pub(crate) const fn is_prose(self) -> bool {
        matches!(self, Self::Lt | Self::St | Self::Ut)
    }

    /// Bytes of one number, 1 for what is not made of numbers.
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::At | Self::Fl | Self::Of | Self::Ol | Self::Sl | Self::Ul => 4,
            Self::Fd | Self::Od | Self::Ov | Self::Sv | Self::Uv => 8,
            Self::Ow | Self::Ss | Self::Us => 2,
            _ => 1,
        }
    }
}
