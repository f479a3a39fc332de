//! The buyers, by the currency of their home. All of them are invented.

/// Buyers in Indonesia.
pub(super) const INDONESIA: &[&str] = &[
    "PT Sinar Lintang Pratama",
    "PT Arung Samudra Niaga",
    "CV Rimba Kencana Abadi",
    "PT Tirta Mandala Boga",
    "PT Karsa Bumi Nusaraya",
    "UD Lautan Berkah Jaya",
    "PT Griya Anyam Lestari",
    "CV Panen Raya Sumbawa",
    "PT Wastra Citra Busana",
    "PT Bahtera Logam Cemerlang",
    "CV Kopi Puncak Gayo",
    "PT Dapur Rempah Kita",
    "PT Cakra Buana Distribusi",
    "UD Mekar Sari Malang",
    "PT Selaras Ritel Indoprima",
    "PT Aksara Kertas Utama",
    "CV Tunas Jati Jepara",
    "PT Bina Karet Sejati",
];

/// Buyers who pay in US dollars.
pub(super) const UNITED_STATES: &[&str] = &[
    "Harrow & Pine Trading Co.",
    "Bluegate Coffee Importers LLC",
    "Cedar Hollow Furnishings Inc.",
    "Pacific Crescent Foods Inc.",
    "Lakemont Apparel Group LLC",
    "Tidewater Rubber & Supply Co.",
    "Gulf Meridian Trading FZE",
    "Comercial Andina del Puerto S.A.",
    "Casa Verde Importadora Ltda.",
    "Saigon Delta Trading JSC",
    "Manila Bayfront Commodities Corp.",
    "Nile Lotus for Import & Export",
];

/// Buyers in the euro area.
pub(super) const EURO_AREA: &[&str] = &[
    "Van der Meulen Koffiehandel B.V.",
    "Nordhafen Handelskontor GmbH",
    "Maison Belcourt Épices SARL",
    "Industrie Valmonte S.r.l.",
    "Importaciones Costa Clara S.L.",
    "Antwerp Spice Harbour N.V.",
    "Kaffeerösterei Birkenfeld GmbH",
    "Sociedade Atlântico Verde Lda.",
];

/// Buyers in Singapore.
pub(super) const SINGAPORE: &[&str] = &[
    "Straits Lantern Trading Pte. Ltd.",
    "Merlin Quay Commodities Pte. Ltd.",
    "Orchid Crest Foods Pte. Ltd.",
    "Temasek Bay Timber Pte. Ltd.",
];

/// Buyers in Japan.
pub(super) const JAPAN: &[&str] =
    &["Kazehama Shoji K.K.", "Aoyagi Suisan K.K.", "Minato Midori Bussan K.K.", "Tsukishiro Kagu Co., Ltd."];

/// Buyers in China.
pub(super) const CHINA: &[&str] = &[
    "Ningbo Harbour Jade Trading Co., Ltd.",
    "Guangzhou Willow Bridge Import Co., Ltd.",
    "Xiamen Golden Reed Industries Co., Ltd.",
    "Qingdao Clear Sky Metals Co., Ltd.",
];

/// Buyers in Australia.
pub(super) const AUSTRALIA: &[&str] =
    &["Wattlebrook Imports Pty Ltd", "Southern Gumtree Furniture Pty Ltd", "Coral Reach Seafoods Pty Ltd"];

/// Buyers in Malaysia.
pub(super) const MALAYSIA: &[&str] =
    &["Kencana Selat Trading Sdn. Bhd.", "Bukit Cengkih Foods Sdn. Bhd.", "Titiwana Timber Sdn. Bhd."];

/// Buyers in the United Kingdom.
pub(super) const UNITED_KINGDOM: &[&str] = &["Thornbury Spice Merchants Ltd", "Ashdown & Vale Interiors Ltd"];

/// Buyers in Switzerland.
pub(super) const SWITZERLAND: &[&str] = &["Seetal Rohkaffee AG", "Chocolaterie Montclair SA"];

/// Buyers in Hong Kong.
pub(super) const HONG_KONG: &[&str] = &["Peak Lantern Trading Limited", "Kwun Fai Garments Limited"];

/// Buyers in India.
pub(super) const INDIA: &[&str] = &["Malabar Crest Exim Private Limited", "Suryanagar Oils Private Limited"];

/// Buyers in South Korea.
pub(super) const SOUTH_KOREA: &[&str] = &["Haneulbit Trading Co., Ltd.", "Namsan Pine Foods Co., Ltd."];

/// Buyers in Thailand.
pub(super) const THAILAND: &[&str] = &["Siam Banyan Trading Co., Ltd.", "Andaman Pearl Foods Co., Ltd."];
